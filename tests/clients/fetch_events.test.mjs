// The npm client `@microsoft/fetch-event-source`, which sends headers of its own and sees the answer.
// It remembers an id before it has the whole event, so what it misses where a connection breaks inside one is its own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openFetchEvents } from './client.mjs';
import { asEvent, assertSame, openPublisher } from './publish.mjs';
import { startServer, waitFor } from './server.mjs';
import { openWire } from './wire.mjs';

const TYPES = ['message', 'note', 'gap', 'turn'];
let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

// A stream of two topics through a wire, and who publishes on them.
async function setUp(test, from, topics) {
  const wire = await openWire(from.port), publisher = await openPublisher(from);
  const source = await openFetchEvents(`${wire.http}/resume/stream?topics=${topics}`, TYPES);
  test.after(() => { for (const one of [source, publisher, wire]) one.close(); });
  return { wire, publisher, source };
}

const received = (source, count) => waitFor(`${count} events`, () => source.inbox.items.length >= count);

test('away again and again: every message once, in the order of the ids', async t => {
  const topics = ['long/fetch-a', 'long/fetch-b'];
  const { wire, publisher, source } = await setUp(t, server, topics);
  for (let round = 1; round <= 10; round++) {
    for (const topic of topics) await publisher.publish(topic, `${round}, live`);
    await received(source, publisher.sent.length);
    wire.isDown = true;
    wire.cut();
    for (const topic of topics) await publisher.publish(topic, `${round}, missed\nin two lines`);
    wire.isDown = false;
    await received(source, publisher.sent.length);
  }
  assertSame(source.inbox.items, publisher.sent.map(asEvent));
});

test('a server that was killed and started anew: a gap, then what it keeps and what is live', async t => {
  const first = await startServer({ scripts: ['scripts'] }), topics = ['long/fetch-life'];
  const { wire, publisher, source } = await setUp(t, first, topics);
  await publisher.publish(topics[0], 'of the first life');
  await received(source, 1);
  wire.isDown = true;
  await first.kill();
  const second = await startServer({ scripts: ['scripts'] }), later = await openPublisher(second);
  t.after(() => { later.close(); return second.stop(); });
  await later.publish(topics[0], 'kept');
  wire.target = second.port;
  wire.isDown = false;
  await received(source, 3);
  await later.publish(topics[0], 'live');
  await received(source, 4);
  assert.deepEqual(source.inbox.items.slice(1).map(({ type, data }) => type === 'gap' ? JSON.parse(data) : data),
    [{ topic: topics[0], missed: null }, 'kept', 'live']);
});

test('every request has its headers, the id of the last event included, until a 204', async t => {
  const wire = await openWire(server.port);
  const source = await openFetchEvents(`${wire.http}/probe/turns`, TYPES, {
    headers: { 'X-Own': 'mine' },
    onerror(error) { if (error.message === '204') throw error; },
    onopen({ status }) { if (status !== 200) throw new Error(status); },
  });
  t.after(() => wire.close());
  await assert.rejects(source.done, { message: '204' });
  assertSame(source.inbox.items, ['1', '2', '3'].map(id => ({ type: 'turn', id, data: 'mine' })));
  assert.deepEqual(wire.requests.map(({ headers }) => headers['last-event-id']), [undefined, '1', '2', '3']);
});

test('a refusal is seen with its status and its body', async () => {
  let seen;
  const refused = openFetchEvents(`${server.http}/probe/forbidden`, TYPES, {
    async onopen(response) {
      seen = [response.status, await response.text()];
      throw new Error('refused');
    },
    onerror(error) { throw error; },
  });
  await assert.rejects(refused, { message: 'refused' });
  assert.deepEqual(seen, [403, 'no stream']);
});
