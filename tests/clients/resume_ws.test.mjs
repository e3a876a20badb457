// Resuming over WebSocket with the npm clients `ws` and `reconnecting-websocket`: on a route with `envelope = true`
// every message has its id, and who comes back `since` the last one has every message once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openEvents } from './client.mjs';
import { assertSame, breakMany, openPublisher, seededRandom } from './publish.mjs';
import { openResuming } from './resuming.mjs';
import { startServer, waitFor } from './server.mjs';
import { openWire } from './wire.mjs';

const CUTS = 20;
let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

const asEnvelope = ({ id, topic, event, data }) => ({ id, topic, event, data });
const asSeen = ({ id, data }) => ({ id, data });

async function setUp(test, topics) {
  const wire = await openWire(server.port), publisher = await openPublisher(server);
  const client = await openResuming(wire, topics);
  test.after(() => { for (const one of [client, publisher, wire]) one.close(); });
  return { wire, publisher, client };
}

async function publishThroughCuts({ wire, publisher }, topics, random) {
  breakMany(wire, CUTS, random);
  wire.cut();
  while (wire.broken.length < CUTS) await publisher.burst(topics, random);
  await publisher.publish(topics[0], 'the last');
}

test('three topics through twenty cuts: every message once, in the order of the ids', async t => {
  const topics = ['a', 'b', 'c'].map(letter => `long/socket-${letter}`);
  const setting = await setUp(t, topics), { wire, publisher, client } = setting;
  await publishThroughCuts(setting, topics, seededRandom(t));
  await waitFor('the last message', () => client.messages.at(-1)?.data === 'the last');
  assertSame(client.messages.map(asEnvelope), publisher.sent.map(asEnvelope));
  assert.ok(wire.broken.some(passed => passed && !passed.includes('\r\n\r\n')), 'one cut was in the head');
  const [first, ...others] = client.hellos;
  assert.equal(first.recovered, false);
  assert.ok(others.length > 0);
  for (const { recovered } of others) assert.equal(recovered, true);
});

test('a WebSocket and an EventSource on one topic see the same, through cuts of both', async t => {
  const topics = ['long/both'], setting = await setUp(t, topics), { wire, publisher, client } = setting;
  const source = await openEvents(`${wire.http}/resume/stream?topics=${topics}`, ['message', 'note', 'gap']);
  t.after(() => source.close());
  await publisher.publish(topics[0], 'the first');
  await waitFor('the first message', () => source.inbox.items.length === 1);
  await publishThroughCuts(setting, topics, seededRandom(t));
  const both = [source.inbox.items, client.messages];
  await waitFor('the last message on both', () => both.every(seen => seen.at(-1)?.data === 'the last'));
  for (const seen of both) assertSame(seen.map(asSeen), publisher.sent.map(asSeen));
});
