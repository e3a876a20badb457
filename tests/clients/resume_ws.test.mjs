// Resuming over WebSocket with the npm client `ws`. Messages come without ids, so these carry the id of an
// earlier one as `after`: who has the message has everything up to that id. A client that comes back with
// `since=<after of its last message>` gets what it has not, and what came after that id once more, which it
// knows by its key.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { openEvents } from './client.mjs';
import { assertSame, breakMany, openPublisher, seededRandom } from './publish.mjs';
import { startServer, waitFor } from './server.mjs';
import { openWire } from './wire.mjs';

const CUTS = 20;
let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

// A WebSocket that comes back by itself. `messages`: each once. `repeats`: for each connection that had
// messages, how many of them the client had already; null where one had come between them.
function openResuming(url) {
  const client = { messages: [], repeats: [], opens: 0 }, keys = new Set();
  let socket, since, isClosed = false;
  const connect = () => {
    socket = new WebSocket(since ? `${url}&since=${since}` : url);
    let count = 0, isFresh = false;
    socket.on('open', () => { client.opens += 1; }).on('error', () => {});
    socket.on('message', text => {
      const message = JSON.parse(text);
      since = message.after ?? since;
      if (keys.has(message.key)) count = isFresh ? null : count + 1;
      else { keys.add(message.key); client.messages.push(message); isFresh = true; }
    });
    socket.on('close', () => {
      if (isFresh || count) client.repeats.push(count);
      if (!isClosed) setTimeout(connect, 5);
    });
  };
  connect();
  client.close = () => { isClosed = true; socket.terminate(); };
  return client;
}

const socketUrl = (wire, topics) => `${wire.ws}/resume/socket?topics=${topics.join()}`;
const asMessage = ({ key, data }) => ({ key, data });

async function publishThroughCuts(test, name, options) {
  const random = seededRandom(test), wire = await openWire(server.port);
  const publisher = await openPublisher(server, { path: '/resume/chain', ...options });
  const topics = ['a', 'b', 'c'].map(letter => `long/${name}-${letter}`);
  breakMany(wire, CUTS, random);
  const client = openResuming(socketUrl(wire, topics));
  test.after(() => { for (const one of [client, publisher, wire]) one.close(); });
  while (wire.broken.length < CUTS) await publisher.burst(topics, random);
  await publisher.publish(topics[0], 'the last');
  await waitFor('the last message', () => client.messages.at(-1)?.data === 'the last');
  assertSame(client.messages.map(asMessage), publisher.sent.map(asMessage));
  assert.ok(wire.broken.some(passed => passed && !passed.includes('\r\n\r\n')), 'one cut was in the head');
  return client;
}

test('twenty cuts, one publisher: every message, and after each cut the last one again', async t => {
  const { repeats } = await publishThroughCuts(t, 'chain', { single: true });
  const [first, ...others] = repeats;
  assert.equal(first, 0);
  assert.ok(others.length > 5);
  // The server resumes exactly after the id it is given: that of the message before the last one seen.
  for (const count of others) assert.equal(count, 1);
});

test('twenty cuts, publishers on both workers: every message, in the order of the ids', async t => {
  const { repeats } = await publishThroughCuts(t, 'chains');
  assert.ok(!repeats.includes(null), 'what came again came first');
});

test('a WebSocket and an EventSource on one topic see the same, through cuts of both', async t => {
  const random = seededRandom(t), wire = await openWire(server.port), topics = ['long/both'];
  const publisher = await openPublisher(server, { path: '/resume/chain' });
  const client = openResuming(socketUrl(wire, topics));
  const source = await openEvents(`${wire.http}/resume/stream?topics=${topics}`, ['message', 'gap']);
  t.after(() => { for (const one of [client, source, publisher, wire]) one.close(); });
  await publisher.publish(topics[0], 'the first');
  await waitFor('the first message', () => source.inbox.items.length === 1);
  breakMany(wire, CUTS, random);
  wire.cut();
  while (wire.broken.length < CUTS) await publisher.burst(topics, random);
  await publisher.publish(topics[0], 'the last');
  const events = () => source.inbox.items.map(({ data }) => JSON.parse(data));
  await waitFor('the last message on both', () =>
    [events(), client.messages].every(seen => seen.at(-1)?.data === 'the last'));
  assertSame(client.messages.map(asMessage), publisher.sent.map(asMessage));
  assertSame(events(), client.messages);
});
