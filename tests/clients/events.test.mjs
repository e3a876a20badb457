// The npm client `eventsource`, and curl, against the demo's streams.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openEvents, openSocket, runCurl } from './client.mjs';
import { startServer, waitFor } from './server.mjs';
import { openWire } from './wire.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

async function enter(room) {
  const socket = await openSocket(`${server.ws}/demo/chat/${room}?name=Ann`);
  await socket.json.next(({ event }) => event === 'welcome', 'the welcome');
  socket.say = async text => {
    socket.tell({ type: 'say', text });
    await socket.json.next(({ data }) => data.text === text, text);
  };
  return socket;
}

const parsed = async source => JSON.parse((await source.inbox.next()).data);

test('the feed has what the chat has, with ids that grow', async () => {
  const ann = await enter('feed');
  await ann.say('before');
  const feed = await openEvents(`${server.http}/demo/feed/feed`, ['chat']);
  await ann.say('after');
  const first = await feed.inbox.next(), second = await feed.inbox.next();
  assert.deepEqual([JSON.parse(first.data).text, JSON.parse(second.data).text], ['before', 'after']);
  const [life, seq] = first.id.split('-'), [sameLife, nextSeq] = second.id.split('-');
  assert.equal(life, sameLife);
  assert.ok(Number(nextSeq) > Number(seq));
  feed.close();
  ann.close();
});

test('an EventSource that lost its connection gets what came meanwhile, once', async () => {
  const wire = await openWire(server.port);
  const ann = await enter('cut');
  const feed = await openEvents(`http://127.0.0.1:${wire.port}/demo/feed/cut`, ['chat', 'gap']);
  await ann.say('one');
  assert.equal((await parsed(feed)).text, 'one');
  wire.cut();
  await ann.say('two');
  await ann.say('three');
  await waitFor('the stream to come back', () => feed.opens === 2);
  await ann.say('four');
  for (const text of ['two', 'three', 'four']) assert.equal((await parsed(feed)).text, text);
  assert.equal(feed.inbox.items.length, 0);
  feed.close();
  ann.close();
  wire.close();
});

test('a Last-Event-ID of another life is told as a gap, and what is kept follows', async () => {
  const ann = await enter('gap');
  await ann.say('kept');
  const curl = runCurl('-N', '-H', 'Last-Event-ID: otherlife-7', `${server.http}/demo/feed/gap`);
  await waitFor('the kept message', () => curl.text.includes('kept'));
  assert.match(curl.text, /event: gap\ndata: \{.*"topic":"chat\\?\/gap".*\}\n\n/);
  await curl.stop();
  ann.close();
});

test('curl -N sees a stream that no proxy should hold back', async () => {
  const ann = await enter('curl');
  await ann.say('kept');
  const curl = runCurl('-N', '-i', `${server.http}/demo/feed/curl`);
  await waitFor('what is kept', () => curl.text.includes('kept'));  // curl -i holds the head back till then
  const head = curl.text.toLowerCase();
  assert.match(head, /^http\/1\.1 200 /);
  assert.match(head, /\r\ncontent-type: text\/event-stream/);
  assert.match(head, /\r\ncache-control: no-cache/);
  assert.match(head, /\r\nx-accel-buffering: no/);
  await ann.say('to the terminal');
  await waitFor('the event', () => /\n\n$/.test(curl.text) && curl.text.includes('to the terminal'));
  const event = curl.text.slice(curl.text.indexOf('kept'));
  assert.match(event, /^id: \w+-\d+$/m);
  assert.match(event, /^event: chat$/m);
  assert.match(event, /^data: \{.*"to the terminal".*\}$/m);
  await curl.stop();
  ann.close();
});

test('the ticker ticks', async () => {
  const ticker = await openEvents(`${server.http}/demo/ticker`, ['tide']);
  const first = await parsed(ticker), second = await parsed(ticker);
  assert.ok(second.at > first.at);
  assert.ok(Math.abs(first.level) < 3);
  ticker.close();
});

test('a POST with curl tells every page', async () => {
  const pages = await Promise.all([1, 2, 3].map(() =>
    openEvents(`${server.http}/demo/events/lobby`, ['notice'])));
  const curl = runCurl('-X', 'POST', '-d', 'High water at noon', `${server.http}/demo/notify`);
  assert.equal(await curl.done, 0);
  const answer = JSON.parse(curl.text);
  assert.equal(answer.told, 3);
  for (const page of pages) {
    const notice = await page.inbox.next();
    assert.equal(JSON.parse(notice.data).text, 'High water at noon');
    assert.equal(notice.id, answer.id);
    page.close();
  }
});

test('a notice may be JSON, and must be text of some length', async () => {
  const post = (body, type = 'application/json') =>
    fetch(`${server.http}/demo/notify`, { method: 'POST', body, headers: { 'content-type': type } });
  assert.equal((await post('{"text":"as JSON"}')).status, 200);
  for (const wrong of ['', '{}', '{"text":7}', 'not json', '[]']) {
    assert.equal((await post(wrong)).status, 400, wrong);
  }
  assert.equal((await post('x'.repeat(501), 'text/plain')).status, 400);
});

test('counts are pushed, and follow who is there', async () => {
  const page = await openEvents(`${server.http}/demo/events/lobby`, ['stats']);
  const before = (await parsed(page)).websockets;
  const people = [];
  for (let i = 0; i < 5; i++) people.push(await enter(`count-${i}`));
  const counted = websockets => page.inbox.next(({ data }) => JSON.parse(data).websockets === websockets,
    `${websockets} WebSockets`);
  const { data } = await counted(before + 5);
  const stats = JSON.parse(data);
  assert.ok(stats.connections >= stats.websockets + stats.streams);
  assert.ok(stats.topics >= 5);
  people.forEach(socket => socket.close());
  await counted(before);
  page.close();
});
