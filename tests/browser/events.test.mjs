// Chromium's EventSource: what it sends, what it makes of the answer, and when it comes back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asEvent, assertSame, openPublisher } from '../clients/publish.mjs';
import { LIMIT, startServer, waitFor } from '../clients/server.mjs';
import { openWire } from '../clients/wire.mjs';
import { launchBrowser } from './browser.mjs';
import { followEvents, openPage, seenEvents } from './follow.mjs';

const CLOSED = 2;
let server, browser, wire, page;
before(async () => {
  server = await startServer({ scripts: ['scripts'] });
  browser = await launchBrowser();
  wire = await openWire(server.port);
  page = await openPage(browser, wire.http);
});
after(async () => {
  await browser?.close();
  wire?.close();
  await server?.stop();
});

// What an EventSource of the page got until it gave up, or had so many events.
const listen = (url, { count = Infinity, types = ['message'], ...options } = {}) =>
  page.evaluate(([target, names, most, init]) => new Promise(resolve => {
    const source = new EventSource(target, init), events = [];
    const end = () => { resolve({ events, state: source.readyState }); source.close(); };
    for (const name of names) {
      source.addEventListener(name, ({ type, data, lastEventId: id, origin }) => {
        if (events.push({ type, data, id, origin }) === most) end();
      });
    }
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) end(); };
  }), [url, types, count, options]);

test('a stream that ends is asked for again with its last id, until a 204', LIMIT, async () => {
  wire.requests.length = 0;
  const { events, state } = await listen(`${wire.http}/probe/turns`, { types: ['turn'] });
  assert.deepEqual(events, ['1', '2', '3'].map(id => ({ type: 'turn', data: 'nothing', id, origin: wire.http })));
  assert.equal(state, CLOSED);
  assert.deepEqual(wire.requests.map(({ headers }) => headers['last-event-id']), [undefined, '1', '2', '3']);
  for (const { headers } of wire.requests) assert.equal(headers.accept, 'text/event-stream');
});

test('every field arrives as it was sent', LIMIT, async () => {
  const { events } = await listen(`${wire.http}/probe/fields`, { types: ['message', 'h\u00f6he: 1'], count: 5 });
  assert.deepEqual(events.map(({ type, data, id }) => [type, data, id]), [
    ['message', 'one line', ''],
    ['message', 'two\nlines', 'first'],
    ['message', '\n a space, \u{1f30a}, and an empty line\n', 'first'],
    ['h\u00f6he: 1', '{"tide":1}', ' second'],
    ['message', 'id: none', ''],
  ]);
});

test('a refusal and an answer that is no stream end it for good', LIMIT, async () => {
  for (const path of ['/probe/forbidden', '/nowhere', '/examples/hello/tide']) {
    assert.deepEqual(await listen(wire.http + path), { events: [], state: CLOSED }, path);
  }
});

test('a server that was killed and started anew: a gap, then what it keeps and what is live', LIMIT, async t => {
  const first = await startServer({ scripts: ['scripts'] }), publisher = await openPublisher(first);
  const line = await openWire(first.port), topic = 'long/life';
  await followEvents(page, `${line.http}/resume/stream?topics=${topic}`);
  await publisher.publish(topic, 'of the first life');
  await waitFor('it', async () => (await seenEvents(page)).length === 1);
  line.isDown = true;
  await first.kill();
  const second = await startServer({ scripts: ['scripts'] }), later = await openPublisher(second);
  t.after(() => { later.close(); line.close(); return second.stop(); });
  await later.publish(topic, 'kept');
  line.target = second.port;
  line.isDown = false;
  await waitFor('what is kept', async () => (await seenEvents(page)).length === 3);
  await later.publish(topic, 'live');
  await waitFor('what is live', async () => (await seenEvents(page)).length === 4);
  const [, gap, ...rest] = await seenEvents(page);
  assert.deepEqual([gap.type, JSON.parse(gap.data)], ['gap', { topic, missed: null }]);
  assertSame(rest, later.sent.map(asEvent));
});
