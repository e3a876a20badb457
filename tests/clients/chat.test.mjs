// The demo's chat, as a page talks to it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSocket, refusal } from './client.mjs';
import { startServer, waitFor } from './server.mjs';
import { openWire } from './wire.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const url = (room, name, more = {}, base = server.ws) =>
  `${base}/demo/chat/${room}?${new URLSearchParams({ name, ...more })}`;

async function enter(room, name, more, base) {
  const socket = await openSocket(url(room, name, more, base));
  socket.welcome = await socket.nextOf('welcome');
  return socket;
}

test('two people talk both ways, and each sees all', async () => {
  const ann = await enter('both', 'Ann'), ben = await enter('both', 'Ben');
  ann.tell({ type: 'say', text: 'hello' });
  for (const socket of [ann, ben]) {
    const { name, text, at, key } = await socket.nextOf('message');
    assert.deepEqual([name, text], ['Ann', 'hello']);
    assert.ok(Math.abs(at - Date.now() / 1000) < 60);
    assert.ok(key);
  }
  ben.tell({ type: 'say', text: 'good day' });
  for (const socket of [ann, ben]) assert.equal((await socket.nextOf('message')).text, 'good day');
  ann.close();
  ben.close();
});

test('rooms keep to themselves', async () => {
  const red = await enter('red', 'Ann'), blue = await enter('blue', 'Ben');
  red.tell({ type: 'say', text: 'red only' });
  await red.nextOf('message');
  blue.tell({ type: 'say', text: 'blue only' });
  assert.equal((await blue.nextOf('message')).text, 'blue only');
  assert.equal(red.json.items.filter(({ type }) => type === 'message').length, 0);
  red.close();
  blue.close();
});

test('who comes late gets what was said', async () => {
  const ann = await enter('late', 'Ann');
  for (let i = 0; i < 120; i++) ann.tell({ type: 'say', text: `line ${i}` });
  for (let i = 0; i < 120; i++) await ann.nextOf('message');
  const ben = await enter('late', 'Ben');
  for (let i = 20; i < 120; i++) assert.equal((await ben.nextOf('message')).text, `line ${i}`);
  ann.close();
  ben.close();
});

test('a lost connection resumes: nothing missed, nothing shown twice', async () => {
  const wire = await openWire(server.port);
  const ann = await enter('lost', 'Ann');
  const ben = await enter('lost', 'Ben', {}, `ws://127.0.0.1:${wire.port}`);
  ann.tell({ type: 'say', text: 'one' });
  await ann.nextOf('message');
  ann.tell({ type: 'say', text: 'two' });
  const seen = [await ben.nextOf('message'), await ben.nextOf('message')];
  const since = seen[1].after;
  assert.match(since, /^[\w]+-\d+$/);
  wire.cut();
  await ben.closed;
  ann.tell({ type: 'say', text: 'three' });
  await ann.nextOf('message');

  const back = await enter('lost', 'Ben', { since });
  assert.ok(!back.welcome.missed);
  ann.tell({ type: 'say', text: 'four' });
  const texts = new Map(seen.map(({ key, text }) => [key, text]));
  await waitFor('the fourth message', async () => {
    const { key, text } = await back.nextOf('message');
    texts.set(key, text);
    return text === 'four';
  });
  assert.deepEqual([...texts.values()], ['one', 'two', 'three', 'four']);
  for (const socket of [ann, back]) socket.close();
  wire.close();
});

test('an id that is not known any more is answered with all that is kept, and told', async () => {
  const ann = await enter('gone', 'Ann');
  ann.tell({ type: 'say', text: 'kept' });
  await ann.nextOf('message');
  const ben = await enter('gone', 'Ben', { since: 'otherlife-7' });
  assert.equal(ben.welcome.missed, true);
  assert.equal((await ben.nextOf('message')).text, 'kept');
  ann.close();
  ben.close();
});

test('people are counted exactly as they come and go', async () => {
  const ann = await enter('count', 'Ann');
  const others = [];
  const counted = count => ann.json.next(m => m.type === 'people' && m.count === count, `${count} people`);
  await counted(1);
  for (const count of [2, 3, 4]) {
    others.push(await enter('count', `Guest ${count}`));
    await counted(count);
  }
  others[0].terminate();
  await counted(3);
  others[1].close();
  others[2].close();
  await counted(1);
  ann.close();
});

test('a name can change, and is cleaned', async () => {
  const ann = await enter('names', 'Ann');
  ann.tell({ type: 'name', name: '  Ann\n\tof Kiel ' });
  ann.tell({ type: 'say', text: 'hi' });
  assert.equal((await ann.nextOf('message')).name, 'Ann of Kiel');
  ann.tell({ type: 'name', name: '\u0007' });
  assert.match((await ann.nextOf('error')).text, /name/);
  ann.close();
});

test('what is not a message of the demo is answered, not obeyed', async () => {
  const ann = await enter('wrong', 'Ann');
  for (const wrong of ['not json', '[]', '7', 'null', '{}', '{"type":"__index"}', '{"type":{}}',
    '{"type":"say"}', '{"type":"say","text":7}', JSON.stringify({ type: 'say', text: 'x'.repeat(2001) })]) {
    ann.send(wrong);
    assert.ok((await ann.nextOf('error')).text, wrong);
  }
  ann.tell({ type: 'say', text: '<img src=x onerror=alert(1)>' });
  assert.equal((await ann.nextOf('message')).text, '<img src=x onerror=alert(1)>');
  ann.close();
});

test('a missing name or an odd room is refused before the handshake', async () => {
  assert.equal((await refusal(`${server.ws}/demo/chat/lobby`)).status, 400);
  assert.equal((await refusal(url('x'.repeat(41), 'Ann'))).status, 400);
  assert.equal((await refusal(url('a%2Fb', 'Ann'))).status, 404);
});

test('the newest code answers who one is', async () => {
  const ann = await enter('who', 'Ann');
  ann.tell({ type: 'who' });
  const you = await ann.nextOf('you');
  assert.equal(you.id, ann.welcome.id);
  assert.equal(you.since, ann.welcome.since);
  assert.equal(you.generation, 1);
  ann.close();
});
