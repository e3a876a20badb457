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

// In a room: messages are { event, data }, with an `id` where one can come back to them.
async function enter(room, name, more, base) {
  const socket = await openSocket(url(room, name, more, base));
  const next = event => socket.json.next(message => message.event === event, event);
  socket.nextOf = async event => (await next(event)).data;
  socket.nextMessage = () => next('chat');
  const { id, data } = await next('welcome');
  socket.welcome = { id, ...data };
  socket.people = await socket.nextOf('people');
  socket.diffs = [];
  return socket;
}

const namesOf = members => members.map(({ info }) => info.name);

test('two people talk both ways, and each sees all', async () => {
  const ann = await enter('both', 'Ann'), ben = await enter('both', 'Ben');
  ann.tell({ type: 'say', text: 'hello' });
  for (const socket of [ann, ben]) {
    const { name, text, at } = await socket.nextOf('chat');
    assert.deepEqual([name, text], ['Ann', 'hello']);
    assert.ok(Math.abs(at - Date.now() / 1000) < 60);
  }
  ben.tell({ type: 'say', text: 'good day' });
  for (const socket of [ann, ben]) assert.equal((await socket.nextOf('chat')).text, 'good day');
  ann.close();
  ben.close();
});

test('rooms keep to themselves', async () => {
  const red = await enter('red', 'Ann'), blue = await enter('blue', 'Ben');
  red.tell({ type: 'say', text: 'red only' });
  await red.nextOf('chat');
  blue.tell({ type: 'say', text: 'blue only' });
  assert.equal((await blue.nextOf('chat')).text, 'blue only');
  assert.equal(red.json.items.filter(({ event }) => event === 'chat').length, 0);
  red.close();
  blue.close();
});

test('who comes late gets what was said', async () => {
  const ann = await enter('late', 'Ann');
  for (let i = 0; i < 120; i++) ann.tell({ type: 'say', text: `line ${i}` });
  for (let i = 0; i < 120; i++) await ann.nextOf('chat');
  const ben = await enter('late', 'Ben');
  for (let i = 20; i < 120; i++) assert.equal((await ben.nextOf('chat')).text, `line ${i}`);
  ann.close();
  ben.close();
});

test('a lost connection resumes: nothing missed, nothing shown twice', async () => {
  const wire = await openWire(server.port);
  const ann = await enter('lost', 'Ann');
  const ben = await enter('lost', 'Ben', {}, `ws://127.0.0.1:${wire.port}`);
  ann.tell({ type: 'say', text: 'one' });
  await ann.nextOf('chat');
  ann.tell({ type: 'say', text: 'two' });
  const seen = [await ben.nextMessage(), await ben.nextMessage()];
  wire.cut();
  await ben.closed;
  ann.tell({ type: 'say', text: 'three' });
  await ann.nextOf('chat');

  const back = await enter('lost', 'Ben', { since: seen[1].id });
  assert.equal(back.welcome.missed, false);
  ann.tell({ type: 'say', text: 'four' });
  seen.push(await back.nextMessage(), await back.nextMessage());
  assert.deepEqual(seen.map(({ data }) => data.text), ['one', 'two', 'three', 'four']);
  for (const socket of [ann, back]) socket.close();
  wire.close();
});

test('who is cut off before the first message comes back with the id of the welcome', async () => {
  const ann = await enter('early', 'Ann'), ben = await enter('early', 'Ben');
  ben.terminate();
  ann.tell({ type: 'say', text: 'while you were away' });
  await ann.nextOf('chat');
  const back = await enter('early', 'Ben', { since: ben.welcome.id });
  assert.equal(back.welcome.missed, false);
  assert.equal((await back.nextOf('chat')).text, 'while you were away');
  ann.close();
  back.close();
});

test('an id that is not known any more is answered with all that is kept, and told', async () => {
  const ann = await enter('gone', 'Ann');
  ann.tell({ type: 'say', text: 'kept' });
  await ann.nextOf('chat');
  const ben = await enter('gone', 'Ben', { since: 'otherlife-7' });
  assert.equal(ben.welcome.missed, true);
  assert.equal((await ben.nextOf('chat')).text, 'kept');
  ann.close();
  ben.close();
});

// What has become of a list of members by the diffs that came since, as the page does it.
async function follow(socket, matches) {
  const members = new Map(socket.people.map(member => [member.id, member]));
  while (!matches(namesOf([...members.values()]))) {
    const diff = await socket.nextOf('presence');
    socket.diffs.push(diff);
    const { joins, leaves } = diff;
    for (const { id } of leaves) members.delete(id);
    for (const member of joins) members.set(member.id, member);
  }
  socket.people = [...members.values()];
}

const seePeople = (socket, ...names) =>
  follow(socket, there => there.join() === names.join());

test('who enters gets a list of who is here, and diffs follow', async () => {
  const ann = await enter('here', 'Ann'), ben = await enter('here', 'Ben');
  assert.deepEqual(namesOf(ann.people), ['Ann']);
  assert.deepEqual(namesOf(ben.people), ['Ann', 'Ben']);
  const carl = await enter('here', 'Carl');
  for (const socket of [ann, ben]) await seePeople(socket, 'Ann', 'Ben', 'Carl');
  carl.close();
  ben.terminate();
  await seePeople(ann, 'Ann');
  ann.tell({ type: 'name', name: 'Anna' });
  await seePeople(ann, 'Anna');
  ann.close();
});

test('a visitor with two connections is one, and stays when one of them closes', async () => {
  const ann = await enter('twice', 'Ann');
  const tabs = [await enter('twice', 'Ben', { visitor: 'ben' }), await enter('twice', 'Ben', { visitor: 'ben' })];
  assert.deepEqual(namesOf(tabs[1].people), ['Ann', 'Ben']);
  tabs[0].close();
  await tabs[0].closed;
  tabs[1].tell({ type: 'name', name: 'Benno' });
  await seePeople(ann, 'Ann', 'Benno');
  for (const socket of [ann, tabs[1]]) socket.close();
});

test('who comes back within the grace period has not left, as far as others see', async () => {
  const ann = await enter('grace', 'Ann'), ben = await enter('grace', 'Ben', { visitor: 'ben' });
  await seePeople(ann, 'Ann', 'Ben');
  ben.terminate();
  const carl = await enter('grace', 'Carl');
  await seePeople(ann, 'Ann', 'Ben', 'Carl');  // what is told meanwhile does not tell of Ben
  carl.tell({ type: 'name', name: 'Karl' });
  await seePeople(ann, 'Ann', 'Ben', 'Karl');
  const back = await enter('grace', 'Ben', { visitor: 'ben', since: ben.welcome.id });
  const [, before] = ben.people, [, now] = back.people;
  assert.equal(now.since, before.since);
  back.close();
  await seePeople(ann, 'Ann', 'Karl');  // when he leaves for good, that is all there is to tell
  assert.deepEqual(ann.diffs.flatMap(({ leaves }) => leaves.map(({ id }) => id)), ['ben']);
  assert.deepEqual(ann.diffs.flatMap(({ joins }) => joins.map(({ id }) => id)).filter(id => id === 'ben'), ['ben']);
  for (const socket of [ann, carl]) socket.close();
});

test('a name can change, and is cleaned', async () => {
  const ann = await enter('names', 'Ann');
  ann.tell({ type: 'name', name: '  Ann\n\tof Kiel ' });
  ann.tell({ type: 'say', text: 'hi' });
  assert.equal((await ann.nextOf('chat')).name, 'Ann of Kiel');
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
  assert.equal((await ann.nextOf('chat')).text, '<img src=x onerror=alert(1)>');
  ann.close();
});

test('a missing name or an odd room is refused before the handshake', async () => {
  assert.equal((await refusal(`${server.ws}/demo/chat/lobby`)).status, 400);
  assert.equal((await refusal(`${server.ws}/demo/chat/lobby?name=%ff`)).status, 400);
  assert.equal((await refusal(url('x'.repeat(41), 'Ann'))).status, 400);
  assert.equal((await refusal(url('a%2Fb', 'Ann'))).status, 404);
});

test('the newest code answers who one is', async () => {
  const ann = await enter('who', 'Ann');
  ann.tell({ type: 'who' });
  const you = await ann.nextOf('you');
  assert.equal(you.connection, ann.welcome.connection);
  assert.equal(you.since, ann.welcome.since);
  assert.equal(you.generation, 1);
  ann.close();
});
