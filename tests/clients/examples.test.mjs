// Every example, used the way its first sentence says.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { openEvents, openSocket, refusal, runCurl } from './client.mjs';
import { startServer, waitFor } from './server.mjs';

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

async function post(path, body) {
  const answer = await fetch(server.http + path, { method: 'POST', body });
  return { status: answer.status, ...await answer.json() };
}

const getJson = async path => (await fetch(server.http + path)).json();

const quote = (symbol, price) => ({ symbol, price });
const publishQuotes = quotes => post('/examples/prices', JSON.stringify(quotes));

test('prices: a snapshot of the newest of each symbol, then live, on both transports', async () => {
  assert.equal((await publishQuotes([quote('OLD', 1), quote('OLD', 2), quote('OLD', 3)])).published, 3);
  const first = quote('NEW', 1);
  await publishQuotes(Array.from({ length: 200 }, (_, i) => quote('NEW', 200 - i)));  // pushes OLD out of the history
  const socket = await openSocket(`${server.ws}/examples/prices`);
  const stream = await openEvents(`${server.http}/examples/prices`, ['price', 'gap']);
  const nextOf = {
    socket: async symbol => (await socket.json.next(({ key }) => key === symbol, symbol)).data,
    stream: async symbol => JSON.parse(
      (await stream.inbox.next(({ data }) => JSON.parse(data).symbol === symbol, symbol)).data),
  };
  for (const next of Object.values(nextOf)) {
    assert.deepEqual(await next('OLD'), quote('OLD', 3));
    assert.deepEqual(await next('NEW'), first);
    await next('TIDE');  // of the ticker
  }
  await publishQuotes([quote('NEW', 7)]);
  for (const next of Object.values(nextOf)) assert.deepEqual(await next('NEW'), quote('NEW', 7));
  assert.ok(![...socket.json.items, ...stream.inbox.items].some(({ type }) => type === 'gap'));
  for (const wrong of ['', '{}', '[]', '[5]', '[{"symbol":"x","price":1}]', '[{"symbol":"X"}]']) {
    assert.equal((await post('/examples/prices', wrong)).status, 400, wrong);
  }
  socket.close();
  stream.close();
});

test('prices: who is slow gets the newest of each symbol, and has no gap', async () => {
  const slow = await openSocket(`${server.ws}/examples/prices`);
  const symbols = ['SLOWA', 'SLOWB', 'SLOWC'];
  slow.pause();
  const batches = 20, size = 9000;  // some 20 MB, more than the sockets in between hold
  for (let i = 0; i < batches; i++) {
    const quotes = Array.from({ length: size }, (_, j) => quote(symbols[j % 3], i * size + j));
    assert.equal((await publishQuotes(quotes)).published, size);
  }
  await publishQuotes([quote('END', 1)]);
  slow.resume();
  await slow.json.next(({ key }) => key === 'END', 'the last price');
  const got = symbols.map(symbol => slow.json.items.filter(({ key }) => key === symbol).map(({ data }) => data.price));
  for (const [i, prices] of got.entries()) {
    assert.equal(prices.at(-1), batches * size - 3 + i);
    assert.ok(prices.every((price, j) => j === 0 || price > prices[j - 1]), 'in order');
  }
  assert.ok(got.flat().length < batches * size, 'some were superseded before they could be sent');
  slow.close();

  const counts = await openEvents(`${server.http}/demo/events/none`, ['stats']);
  const { data } = await counts.inbox.next(event => JSON.parse(event.data).conflated > 0, 'the counts');
  assert.equal(JSON.parse(data).lagged, 0, 'that is no gap');
  counts.close();
});

test('presence: a list, who comes and who goes, and nothing of a reconnect', async () => {
  const enter = async (user, name) => {
    const socket = await openSocket(`${server.ws}/examples/presence/pier?${new URLSearchParams({ user, name })}`);
    socket.list = (await socket.json.next(({ members }) => members, 'the list')).members;
    return socket;
  };
  const ann = await enter('ann', 'Ann'), ben = await enter('ben', 'Ben'), phone = await enter('ben', 'Ben');
  const diff = matches => ann.json.next(({ joins, leaves }) => matches(joins ?? [], leaves ?? []), 'a diff');
  assert.deepEqual(phone.list.map(({ id, info }) => [id, info.name]), [['ann', 'Ann'], ['ben', 'Ben']]);
  await diff(joins => joins.some(({ id }) => id === 'ben'));
  const { count, members } = await getJson('/examples/presence/pier');
  assert.deepEqual([count, members], [2, phone.list]);

  for (const socket of [ben, phone]) socket.terminate();
  const others = [];
  for (const user of ['carl', 'dora']) {  // what is told meanwhile does not tell of Ben
    others.push(await enter(user, user));
    await diff((joins, leaves) => joins.some(({ id }) => id === user) && !leaves.length);
  }
  const back = await enter('ben', 'Ben');
  assert.deepEqual(back.list.slice(0, 2), phone.list);
  for (const socket of [back, ...others]) socket.close();
  await waitFor('all but Ann to leave', async () => (await getJson('/examples/presence/pier')).count === 1);
  await enter('eve', 'Eve').then(eve => eve.close());
  await diff(joins => joins.some(({ id }) => id === 'eve'));
  const left = ann.json.items.flatMap(({ leaves }) => leaves ?? []).map(({ id }) => id);
  assert.deepEqual(left.sort(), ['ben', 'carl', 'dora']);
  assert.equal((await getJson('/examples/presence/nobody')).count, 0);
  assert.equal((await fetch(`${server.http}/examples/presence/${'x'.repeat(300)}`)).status, 404);
  assert.equal((await refusal(`${server.ws}/examples/presence/pier`)).status, 400);
  ann.close();
});

test('inbox: a phone starts with a page, resumes exactly, and scrolls back', async () => {
  const inbox = '/examples/inbox/ann', ids = [];
  const notify = async text => ids.push((await post(inbox, text)).id);
  const open = async since => {
    const socket = await openSocket(`${server.ws}${inbox}?${new URLSearchParams(since ? { since } : {})}`);
    socket.welcome = await socket.json.next();
    return socket;
  };
  const receive = async socket => {
    const { id, topic, data } = await socket.json.next();
    assert.equal(topic, 'examples/inbox/ann');
    return [id, data];
  };
  for (let i = 0; i < 45; i++) await notify(`note ${i}`);

  const page = (await getJson(inbox)).messages;
  assert.deepEqual(page.map(({ data }) => data), Array.from({ length: 20 }, (_, i) => `note ${44 - i}`));
  await notify('between the page and the socket');
  const phone = await open(page[0].id);
  assert.equal(phone.welcome.recovered, true);
  const [last] = await receive(phone);
  assert.equal(last, ids.at(-1));
  phone.terminate();
  await notify('in the tunnel');
  await notify('still in the tunnel');
  const back = await open(last);
  assert.equal(back.welcome.recovered, true);
  assert.deepEqual(await receive(back), [ids.at(-2), 'in the tunnel']);
  assert.deepEqual(await receive(back), [ids.at(-1), 'still in the tunnel']);
  await notify('in the open');
  assert.deepEqual(await receive(back), [ids.at(-1), 'in the open']);

  const pages = [await getJson(inbox)];
  while (pages.at(-1).count > 0) pages.push(await getJson(`${inbox}?before=${pages.at(-1).messages.at(-1).id}`));
  assert.deepEqual(pages.flatMap(({ count, messages }) => count ? messages.map(({ id }) => id) : []), [...ids].reverse());

  const lost = await open('otherlife-7');
  assert.equal(lost.welcome.recovered, false);
  assert.deepEqual(await receive(lost), [ids[0], 'note 0']);
  assert.equal((await post(inbox, '')).status, 400);
  for (const socket of [back, lost]) socket.close();
});

test('audit: counts every message of the pattern, whichever worker is asked', async () => {
  const room = await openSocket(`${server.ws}/examples/rooms`);
  for (const text of ['one', 'two', 'three']) room.tell({ room: 'audited', text });
  await post('/examples/inbox/audited', 'a note');
  const ask = async () => {  // curl, because each one is a new connection, on whichever worker
    const curl = runCurl(`${server.http}/examples/audit`);
    assert.equal(await curl.done, 0);
    return JSON.parse(curl.text);
  };
  const counted = ({ counts }) => [counts['examples/rooms/audited'], counts['examples/inbox/audited']].join();
  await waitFor('the counts', async () => counted(await ask()) === '3,1');
  for (let i = 0; i < 6; i++) {
    const answer = await ask();
    assert.equal(counted(answer), '3,1');
    assert.ok(answer.topics.some(({ topic, messages }) => topic === 'examples/inbox/audited' && messages === 1));
  }
  room.close();
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
