// Resuming over Server-Sent Events with the npm client `eventsource`: whatever breaks, nothing is missing,
// nothing comes twice, and what could not be had is told.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openEvents } from './client.mjs';
import { asEvent, assertCutInside, assertSame, breakMany, openPublisher, seededRandom } from './publish.mjs';
import { startServer, waitFor } from './server.mjs';
import { openWire } from './wire.mjs';

const CUTS = 20, TYPES = ['message', 'note', 'gap', 'start'];
let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

const streamUrl = (wire, topics, route = 'stream') => `${wire.http}/resume/${route}?topics=${topics.join()}`;
const gaps = source => source.inbox.items.filter(({ type }) => type === 'gap').map(({ data }) => JSON.parse(data));
const messages = source => source.inbox.items.filter(({ type }) => type === 'message').map(({ data }) => data);

async function setUp(test, { port = server.port, from = server } = {}) {
  const wire = await openWire(port), publisher = await openPublisher(from);
  const opened = [];
  test.after(() => { for (const one of [publisher, ...opened, wire]) one.close(); });
  const open = async (...args) => { opened.push(await openEvents(...args)); return opened.at(-1); };
  return { wire, publisher, open };
}

// Publishes on three topics while the stream that follows them breaks again and again.
async function publishThroughCuts(test, name, options) {
  const random = seededRandom(test), { wire, publisher, open } = await setUp(test);
  const topics = ['a', 'b', 'c'].map(letter => `long/${name}-${letter}`);
  const source = await open(streamUrl(wire, topics), TYPES, options);
  await publisher.publish(topics[0], 'the first');  // before it, there is no id to come back with
  await waitFor('the first message', () => source.inbox.items.length === 1);

  breakMany(wire, CUTS, random);
  wire.cut();
  while (wire.broken.length < CUTS) await publisher.burst(topics, random);
  await publisher.publish(topics[0], 'the last');
  await waitFor('the last message', () => source.inbox.items.at(-1).data === 'the last');
  assertSame(source.inbox.items, publisher.sent.map(asEvent));
  assertCutInside(wire.broken);
  return wire.requests;
}

test('three topics through twenty cuts: every message once, in the order of the ids', async t => {
  const [first, ...others] = await publishThroughCuts(t, 'cuts');
  assert.equal(first.headers['last-event-id'], undefined);
  for (const { headers } of others) assert.match(headers['last-event-id'], /^\w+-\d+$/);
});

test('the same for a client that can only say its last id in the query', async t => {
  const fetchAsPolyfill = (url, { headers: { 'Last-Event-ID': id, ...headers }, ...init }) => {
    const target = new URL(url);
    if (id) target.searchParams.set('last_event_id', id);
    return fetch(target, { headers, ...init });
  };
  const requests = await publishThroughCuts(t, 'query', { fetch: fetchAsPolyfill });
  assert.ok(requests.every(({ headers }) => !('last-event-id' in headers)));
});

test('a long replay that breaks again and again', async t => {
  const random = seededRandom(t), setting = await setUp(t), { wire, publisher } = setting;
  const topics = ['long/replay-a', 'long/replay-b', 'long/replay-c'];
  const source = await goDown(setting, topics);
  await publisher.burst(topics, random, 5000);
  breakMany(wire, CUTS, random, { maxBytes: 40_000 });
  await comeUp(setting, source);
  await publisher.publish(topics[0], 'the last');
  await waitFor('the last message', () => source.inbox.items.at(-1)?.data === 'the last');
  assertSame(source.inbox.items, publisher.sent.slice(topics.length).map(asEvent));
  assert.equal(wire.broken.length, CUTS);
});

test('a stream that was told where it starts can break before its first message', async t => {
  const { wire, publisher, open } = await setUp(t), topics = ['long/told', 'long/told-too'];
  const source = await open(streamUrl(wire, topics, 'told'), TYPES);
  await waitFor('the start', () => source.inbox.items.length === 1);
  wire.isDown = true;
  wire.cut();
  await publisher.publish('long/told', 'missed');
  await publisher.publish('long/told-too', 'missed too');
  wire.isDown = false;
  await waitFor('both', () => source.inbox.items.length >= 3);
  await publisher.publish('long/told', 'live');
  await waitFor('what is live', () => messages(source).includes('live'));
  assert.deepEqual(source.inbox.items.map(({ type }) => type), ['start', 'message', 'message', 'message']);
  assertSame(source.inbox.items.slice(1), publisher.sent.map(asEvent));
});

// A client with news of the topics it follows, whose wire then goes down.
async function goDown({ wire, publisher, open }, topics) {
  const source = await open(streamUrl(wire, topics), TYPES);
  for (const topic of topics) await publisher.publish(topic, 'before');
  await waitFor('what came before', () => messages(source).length === topics.length);
  wire.isDown = true;
  wire.cut();
  source.inbox.items.length = 0;
  return source;
}

async function comeUp({ wire }, source) {
  const { opens } = source;
  wire.isDown = false;
  await waitFor('the stream to come back', () => source.opens > opens);
}

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

test('away for longer than is kept: one gap for the topic that lost some, then what is kept', async t => {
  const setting = await setUp(t), { wire, publisher } = setting;
  const source = await goDown(setting, ['long/away', 'brief/away', 'brief/quiet']);
  await publisher.publish('brief/away', ...numbers(1, 12));
  await publisher.publish('long/away', 'kept');
  await comeUp(setting, source);
  await publisher.publish('brief/away', 'live');
  await waitFor('what is live', () => messages(source).includes('live'));
  assert.equal(source.inbox.items[0].type, 'gap');
  assert.deepEqual(gaps(source).map(({ topic }) => topic), ['brief/away']);
  assert.deepEqual(messages(source), [...numbers(8, 12), 'kept', 'live']);

  // With an id from after the gap, the next cut is one like any other.
  wire.cut();
  await publisher.publish('brief/away', 'after the next cut');
  await waitFor('it', () => messages(source).includes('after the next cut'));
  assert.equal(gaps(source).length, 1);
});

test('away for exactly as long as is kept: no gap', async t => {
  const setting = await setUp(t), { publisher } = setting;
  const source = await goDown(setting, ['brief/just']);
  await publisher.publish('brief/just', ...numbers(1, 5));
  await comeUp(setting, source);
  await waitFor('what is kept', () => messages(source).length >= 5);
  await publisher.publish('brief/just', 'live');
  await waitFor('what is live', () => messages(source).includes('live'));
  assert.deepEqual(gaps(source), []);
  assert.deepEqual(messages(source), [...numbers(1, 5), 'live']);
});

async function startHere(test) {
  const one = await startServer({ scripts: ['scripts'] });
  test.after(() => one.stop());
  return one;
}

test('a server that was started anew: a gap for each topic, then what it keeps', async t => {
  const first = await startHere(t);
  const setting = await setUp(t, { port: first.port, from: first }), { wire } = setting;
  const topics = ['long/life-a', 'long/life-b'];
  const source = await goDown(setting, topics);
  await first.stop();

  const second = await startHere(t);
  const publisher = await openPublisher(second);
  // More messages than the old life had, so that its last seq is one of the new life too.
  await publisher.publish(topics[0], ...numbers(1, 20));
  wire.target = second.port;
  await comeUp(setting, source);
  await publisher.publish(topics[1], 'live');
  await waitFor('what is live', () => messages(source).includes('live'));
  assert.deepEqual(gaps(source).map(({ topic }) => topic).sort(), topics);
  assert.deepEqual(messages(source), [...numbers(1, 20), 'live']);

  wire.cut();
  await publisher.publish(topics[0], 'resumed in the new life');
  await waitFor('it', () => messages(source).includes('resumed in the new life'));
  assert.equal(gaps(source).length, 2);
  publisher.close();
});

test('a server that was started anew and keeps nothing is not taken for one where nothing happened', async t => {
  const first = await startHere(t);
  const setting = await setUp(t, { port: first.port, from: first }), { wire } = setting;
  const source = await goDown(setting, ['long/empty']);
  await first.stop();
  const second = await startHere(t);
  wire.target = second.port;
  await comeUp(setting, source);
  await waitFor('the gap', () => gaps(source).length > 0);
  assert.deepEqual(gaps(source), [{ topic: 'long/empty', missed: null }]);
});
