// Resuming in a real browser: an EventSource that loses its connection again and again has no hole and nothing twice.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { asEvent, assertCutInside, assertSame, breakMany, openPublisher, seededRandom } from '../clients/publish.mjs';
import { startServer, waitFor } from '../clients/server.mjs';
import { openWire } from '../clients/wire.mjs';
import { launchBrowser } from './browser.mjs';
import { followEvents, followSocket, openPage, seenEvents, seenMessages } from './follow.mjs';

const CUTS = 10;
let server, browser;
before(async () => {
  server = await startServer({ scripts: ['scripts'] });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
afterEach(() => Promise.all((browser?.contexts() ?? []).map(context => context.close())));

async function setUp(test) {
  const wire = await openWire(server.port), publisher = await openPublisher(server);
  test.after(() => { publisher.close(); wire.close(); });
  return { wire, publisher, random: seededRandom(test) };
}

// A page at `origin` that follows three topics through the wire, and has had a first message.
async function followTopics({ wire, publisher }, name, origin = wire.http) {
  const topics = ['a', 'b', 'c'].map(letter => `long/${name}-${letter}`);
  const page = await openPage(browser, origin);
  await followEvents(page, `${wire.http}/resume/stream?topics=${topics}`);
  await publisher.publish(topics[0], 'the first');
  await waitFor('the first message', async () => (await seenEvents(page)).length === 1);
  return { page, topics };
}

// A plain HTTP answer whose head ends too early counts as whole in Chromium, and an EventSource gives up on what is no
// event stream. So connections break in the head with a reset only.
async function breakOften({ wire, publisher, random }, topics) {
  breakMany(wire, CUTS, random, { resetHead: true });
  wire.cut();
  while (wire.broken.length < CUTS) await publisher.burst(topics, random);
}

async function assertNothingMissed({ publisher }, page, topics) {
  await publisher.publish(topics[0], 'the last');
  await waitFor('the last message', async () => (await seenEvents(page)).at(-1)?.data === 'the last');
  assertSame(await seenEvents(page), publisher.sent.map(asEvent));
}

test('ten broken connections: every message once, in the order of the ids', async t => {
  const setting = await setUp(t), { page, topics } = await followTopics(setting, 'own');
  await breakOften(setting, topics);
  await assertNothingMissed(setting, page, topics);
  assertCutInside(setting.wire.broken);
});

test('a page of another origin resumes without asking for permission', async t => {
  const setting = await setUp(t), { wire } = setting;
  const { page, topics } = await followTopics(setting, 'other', server.http);
  await breakOften(setting, topics);
  await assertNothingMissed(setting, page, topics);
  const [first, ...others] = wire.requests;
  assert.equal(first.headers['last-event-id'], undefined);
  assert.ok(others.length >= CUTS);
  for (const { method, headers } of others) {
    assert.equal(method, 'GET');
    assert.equal(headers.origin, server.http);
    assert.match(headers['last-event-id'], /^\w+-\d+$/);
  }
  // The wire would have seen a preflight: a header of the page's own causes one.
  await page.evaluate(url => fetch(url, { headers: { 'x-own': '1' } }).catch(() => {}), `${wire.http}/resume/page`);
  assert.equal(wire.requests.at(-1).method, 'OPTIONS');
});

test('a page that is offline for a while has what it missed when it is back', async t => {
  const setting = await setUp(t), { wire, publisher, random } = setting;
  const { page, topics } = await followTopics(setting, 'offline');
  await page.context().setOffline(true);
  wire.cut();  // Chromium's emulation leaves connections alone that are open already
  await page.waitForFunction(() => window.events.errors >= 3);  // it was cut, and came not back
  await publisher.burst(topics, random, 100);
  assert.equal((await seenEvents(page)).length, 1);
  await page.context().setOffline(false);
  await assertNothingMissed(setting, page, topics);
});

test('a tab that was frozen has what it missed when it wakes', async t => {
  const setting = await setUp(t), { wire, publisher, random } = setting;
  const { page, topics } = await followTopics(setting, 'frozen');
  const session = await page.context().newCDPSession(page);
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  await publisher.burst(topics, random, 100);
  wire.cut();
  await publisher.burst(topics, random, 100);
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  await assertNothingMissed(setting, page, topics);
  assert.ok(wire.requests.length >= 3, 'the page, the stream, and the stream again');
});

test('a WebSocket and an EventSource of one page see the same, through cuts of both', async t => {
  const setting = await setUp(t), { wire, publisher } = setting;
  const { page, topics } = await followTopics(setting, 'both');
  await followSocket(page, `${wire.ws}/resume/socket?topics=${topics}`);
  await breakOften(setting, topics);
  await publisher.publish(topics[0], 'the last');
  const both = () => Promise.all([seenEvents(page), seenMessages(page)]);
  await waitFor('the last message on both', async () => (await both()).every(seen => seen.at(-1)?.data === 'the last'));
  const asSeen = ({ id, data }) => ({ id, data });
  for (const seen of await both()) assertSame(seen.map(asSeen), publisher.sent.map(asSeen));
  assert.ok(await page.evaluate(() => window.socket.opens > 1 && window.events.opens > 1), 'both came back');
});
