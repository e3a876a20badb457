// Every example, used the way its first sentence says.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { openEvents, openSocket, refusal } from './client.mjs';
import { startServer } from './server.mjs';

const SECRET = 'a secret for this test';
let server;
before(async () => { server = await startServer({ env: { JWT_SECRET: SECRET } }); });
after(() => server.stop());

test('hello', async () => {
  const answer = await fetch(`${server.http}/examples/hello/J%C3%BCrgen%20W`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /^text\/plain/);
  assert.equal(await answer.text(), 'hello J\u00fcrgen W\n');
});

test('broadcast reaches all but the sender, on every worker', async () => {
  const url = `${server.ws}/examples/broadcast`;
  const [sender, ...others] = await Promise.all(Array.from({ length: 20 }, () => openSocket(url)));
  sender.send('to you all');
  sender.send(Buffer.from([1, 2, 3]));
  for (const socket of others) {
    assert.equal(String((await socket.inbox.next()).data), 'to you all');
    const second = await socket.inbox.next();
    assert.deepEqual([second.binary, [...second.data]], [true, [1, 2, 3]]);
  }
  others[0].send('an answer');
  assert.equal(String((await sender.inbox.next()).data), 'an answer');  // and nothing before it
  for (const socket of [sender, ...others]) socket.close();
});

test('rooms: one socket in many', async () => {
  const open = () => openSocket(`${server.ws}/examples/rooms`);
  const ann = await open(), ben = await open();
  const ask = async (socket, order) => { socket.tell(order); return socket.json.next(); };
  assert.deepEqual(await ask(ann, { join: 'a' }), { joined: 'a', members: 1 });
  assert.deepEqual(await ask(ann, { join: 'b' }), { joined: 'b', members: 1 });
  assert.deepEqual(await ask(ben, { join: 'a' }), { joined: 'a', members: 2 });
  assert.ok((await ask(ben, { room: 'a', text: 'in a' })).sent);
  assert.deepEqual(await ann.json.next(), { room: 'a', text: 'in a' });
  assert.ok((await ask(ben, { room: 'b', text: 'from outside' })).sent);
  assert.deepEqual(await ann.json.next(), { room: 'b', text: 'from outside' });
  assert.deepEqual(await ask(ann, { leave: 'a' }), { left: 'a' });
  assert.ok((await ask(ann, { leave: 'a' })).error);
  assert.ok((await ask(ben, { room: 'a', text: 'to nobody' })).sent);
  assert.ok((await ask(ann, { join: 'not a room' })).error);
  assert.ok((await ask(ann, 'nonsense')).error);
  assert.equal(ann.json.items.length, 0);
  ann.close();
  ben.close();
});

test('clock', async () => {
  const clock = await openEvents(`${server.http}/examples/clock`, ['tick']);
  for (const id of ['0', '1', '2']) {
    const tick = await clock.inbox.next();
    assert.equal(tick.id, id);
    assert.match(tick.data, /^\d\d:\d\d:\d\d$/);
  }
  clock.close();
});

async function login(name, password, base = server.http) {
  const answer = await fetch(`${base}/examples/login`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, password }),
  });
  return { status: answer.status, ...await answer.json() };
}

const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url');
function makeToken(header, claims, secret) {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

test('login: a token opens the WebSocket, on whichever worker', async () => {
  const { status, token } = await login('ann', 'high water');
  assert.equal(status, 200);
  for (let i = 0; i < 8; i++) {  // the system spreads them over both workers
    const options = { headers: { authorization: `Bearer ${token}` } };
    const socket = await openSocket(`${server.ws}/examples/private`, [], options);
    assert.equal(String((await socket.inbox.next()).data), 'welcome, ann');
    socket.close();
  }
  const socket = await openSocket(`${server.ws}/examples/private?token=${token}`);
  await socket.inbox.next();
  socket.send('hi');
  assert.equal(String((await socket.inbox.next()).data), 'ann says hi');
  socket.close();
});

test('login: a wrong password gives no token', async () => {
  assert.equal((await login('ann', 'low water')).status, 401);
  assert.equal((await login('nobody', 'high water')).status, 401);
  assert.equal((await login(7, 'high water')).status, 400);
});

test('login: what is not a good token is refused before the handshake', async () => {
  const { token } = await login('ben', 'low water');
  const now = Math.floor(Date.now() / 1000);
  const bad = {
    missing: '',
    nonsense: 'abc',
    tampered: token.replace(/\.[^.]+\./, `.${encode({ sub: 'ann', exp: now + 60 })}.`),
    'another secret': makeToken({ alg: 'HS256', typ: 'JWT' }, { sub: 'ann' }, 'guess'),
    expired: makeToken({ alg: 'HS256', typ: 'JWT' }, { sub: 'ann', exp: now - 3600 }, SECRET),
    'no algorithm': `${encode({ alg: 'none' })}.${encode({ sub: 'ann' })}.`,
  };
  for (const [what, wrong] of Object.entries(bad)) {
    const url = `${server.ws}/examples/private${wrong && `?token=${wrong}`}`;
    assert.equal((await refusal(url)).status, 401, what);
  }
});

test('login: a token another program signed with the secret is good', async () => {
  const token = makeToken({ alg: 'HS256', typ: 'JWT' }, { sub: 'eve' }, SECRET);
  const socket = await openSocket(`${server.ws}/examples/private?token=${token}`);
  assert.equal(String((await socket.inbox.next()).data), 'welcome, eve');
  socket.close();
});

test('login: without a secret the example refuses and says what to do', async () => {
  const plain = await startServer({ env: { JWT_SECRET: undefined } });
  try {
    const { status, error } = await login('ann', 'high water', plain.http);
    assert.equal(status, 503);
    assert.match(error, /JWT_SECRET/);
    assert.equal((await refusal(`${plain.ws}/examples/private?token=a.b.c`)).status, 503);
  } finally {
    await plain.stop();
  }
});
