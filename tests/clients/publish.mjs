// Publishers for the tests of resuming. They publish on both workers at once, and know the truth:
// which id every message got, and so what a subscriber has to see.
import assert from 'node:assert/strict';
import { openSocket } from './client.mjs';
import { waitFor } from './server.mjs';

// Random numbers below n that repeat with SEED=...; the seed is told with the test's result.
export function seededRandom(test) {
  let state = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
  test.diagnostic(`SEED=${state}`);
  return n => {  // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor(((x ^ (x >>> 14)) >>> 0) / 2 ** 32 * n);
  };
}

const seqOf = id => Number(id.slice(id.lastIndexOf('-') + 1));

// Text of several lines, with characters of one to four bytes, so that a cut may fall into one.
function randomText(random) {
  const pieces = ['tide ', '\n', 'h\u00f6her', '\u2014', '\u{1f30a}', 'low water at noon, high water at six '];
  return Array.from({ length: 1 + random(20) }, () => pieces[random(pieces.length)]).join('');
}

// Publisher sockets, two or more, on two workers. publisher.sent has what was published.
export async function openPublisher(server) {
  const sockets = [], workers = new Set(), sent = [];
  let asked = 0;
  while (workers.size < 2) {
    const socket = await openSocket(`${server.ws}/resume/publish`);
    workers.add((await socket.json.next()).worker);
    socket.on('message', text => sent.push(JSON.parse(text)));
    sockets.push(socket);
  }
  const tell = order => { asked += 1; sockets[asked % sockets.length].tell(order); };
  const settle = () => waitFor('all to be published', () => sent.length === asked);
  return {
    // In the order of their ids, in which every subscriber has to see them.
    get sent() { return sent.sort((a, b) => seqOf(a.id) - seqOf(b.id)); },
    async publish(topic, ...texts) {
      for (const data of texts) { tell({ topic, data }); await settle(); }
    },
    // So many messages at once: enough by default that a loop turn has several of each topic to merge.
    async burst(topics, random, count = 8 * sockets.length) {
      for (let i = 0; i < count; i++) {
        tell({ topic: topics[random(topics.length)], data: randomText(random), event: random(2) ? 'note' : undefined });
      }
      await settle();
    },
    close() { for (const socket of sockets) socket.close(); },
  };
}

// What an event source sees of a published message.
export const asEvent = ({ id, data, event }) => ({ type: event ?? 'message', id, data });

// Like deepEqual, but tells where the two part.
export function assertSame(seen, expected) {
  const at = expected.findIndex((item, i) => JSON.stringify(item) !== JSON.stringify(seen[i]));
  if (at >= 0) assert.deepEqual(seen.slice(at, at + 3), expected.slice(at, at + 3), `they part at ${at}`);
  assert.equal(seen.length, expected.length, 'and nothing more');
}

// Breaks so many connections: every fourth in the head of the answer, the others further on. resetHead: those in
// the head never as if all were said.
export function breakMany(wire, count, random, { maxBytes = 6000, resetHead = false } = {}) {
  let n = 0;
  wire.breakAt = () => {
    if (wire.broken.length >= count) return null;
    n += 1;
    const isInHead = n % 4 === 0;
    const bytes = isInHead ? 1 + random(100) : 300 + random(maxBytes);
    return { bytes, reset: random(2) === 0 || (isInHead && resetHead) };
  };
}

// That the cuts were where they hurt.
export function assertCutInside(broken) {
  assert.ok(broken.some(passed => passed && !passed.includes('\r\n\r\n')), 'one in the head');
  assert.ok(broken.some(passed => passed.includes('data:') && !passed.endsWith('\n\n')), 'one in an event');
}
