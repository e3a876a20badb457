// What every WebSocket client is promised. Each client goes through the same rules, but for those that ask for what
// it cannot do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSocket } from './client.mjs';
import { assertSame, openPublisher } from './publish.mjs';
import { LIMIT, startServer, waitFor } from './server.mjs';
import { openWire } from './wire.mjs';

const LENGTHS = [0, 1, 125, 126, 127, 65535, 65536, 1048576];
const LARGEST = 16 * 1024 * 1024;
const TIDE = 'low water at noon, high water at six; ';

const bytesOf = length => Buffer.alloc(length, Uint8Array.from({ length: 251 }, (_, i) => i));
const textOf = length => TIDE.repeat(length / TIDE.length + 1).slice(0, length);

async function assertEcho(socket, data) {
  await socket.send(data);
  assertIs(await socket.next(), data);
}

// Without a difference of a million bytes in the report.
function assertIs(got, expected) {
  const kindOf = data => Buffer.isBuffer(data) ? 'binary' : typeof data;
  assert.deepEqual([kindOf(got), got.length], [kindOf(expected), expected.length]);
  assert.ok(Buffer.from(got).equals(Buffer.from(expected)), `${expected.length} bytes, the same ones`);
}

async function assertClosed(socket, code, reason) {
  assert.deepEqual(await socket.next(), { close: { code, reason } });
}

// A socket that hears how sockets of /probe/close end.
async function watchCloses(server) {
  const watch = await openSocket(`${server.ws}/probe/watch`);
  await watch.inbox.next();
  return watch;
}

// A socket that was told that it joined.
async function enter(client, url) {
  const socket = await client.open(url);
  assertIs(await socket.next(), 'joined');
  return socket;
}

const withQuery = (url, query) => `${url}?${new URLSearchParams(query)}`;

// Follows a topic as who has seen `since` of it. socket.hello: { id, recovered } of the join.
async function follow(client, wire, topics, since = 'first') {
  const socket = await client.open(withQuery(`${wire.ws}/resume/socket`, { topics, since }));
  socket.hello = await socket.nextJson();
  return socket;
}

async function nextOf(socket, count) {
  const messages = [];
  while (messages.length < count) messages.push(await socket.nextJson());
  return messages;
}

const onlyPublished = messages => messages.map(({ id, data }) => ({ id, data }));

const RULES = {
  'text of every form of length comes back as text': {
    async run({ client, server }) {
      const socket = await client.open(`${server.ws}/examples/echo`);
      for (const length of LENGTHS) await assertEcho(socket, textOf(length));
      await assertEcho(socket, 'Gr\u00fc\u00dfe \u{1f30a} \u0000 end');
      await socket.close();
    },
  },
  'binary of every form of length comes back as binary': {
    async run({ client, server }) {
      const socket = await client.open(`${server.ws}/examples/echo`);
      for (const length of LENGTHS) await assertEcho(socket, bytesOf(length));
      await socket.close();
    },
  },
  'a message of 16 MiB comes back where the route allows it': {
    async run({ client, server }) {
      const socket = await client.open(`${server.ws}/probe/large`);
      await assertEcho(socket, bytesOf(LARGEST));
      await socket.close();
    },
  },
  'a message over the limit is refused with 1009': {
    async run({ client, server }) {
      const socket = await client.open(`${server.ws}/probe/small`);
      await assertEcho(socket, textOf(1000));
      await socket.send(textOf(1001));
      assert.equal((await socket.next()).close.code, 1009);
    },
  },
  'fragments are one message, a character over two of them too': {
    needs: 'fragments',
    async run({ client, server }) {
      const socket = await client.open(`${server.ws}/examples/echo`);
      const wave = Buffer.from('\u{1f30a}');
      for (const parts of [['one ', '', 'two'], [wave.subarray(0, 2), wave.subarray(2)]]) {
        await socket.sendFragments(parts);
        assertIs(await socket.next(), typeof parts[0] === 'string' ? parts.join('') : wave);
      }
      await socket.close();
    },
  },
  'a ping is answered with what it says': {
    needs: 'ping',
    async run({ client, server }) {
      const socket = await client.open(`${server.ws}/examples/echo`);
      for (const length of [0, 1, 125]) await socket.ping(textOf(length));
      await assertEcho(socket, 'still here');
      await socket.close();
    },
  },
  'a ping of the server is answered': {
    async run({ client, server, test }) {
      const wire = await openWire(server.port);
      test.after(() => wire.close());
      const socket = await client.open(`${wire.ws}/probe/ping`);
      const text = 'are you there', frameBytes = 2 + 4 + text.length, before = wire.bytes.up;
      await socket.send(text);
      assertIs(await socket.next(), 'pinged');
      await waitFor('the pong', () => wire.bytes.up === before + 2 * frameBytes);
      await socket.close();
    },
  },
  'the client closes with a code and a reason, and is answered with the code': {
    async run({ client, server, test }) {
      const watch = await watchCloses(server);
      test.after(() => watch.close());
      const socket = await client.open(`${server.ws}/probe/close`);
      const reason = 'that is all \u{1f30a}';
      await socket.close(4000, reason);
      assert.equal((await socket.next()).close.code, 4000);
      assert.deepEqual(await watch.json.next(), { code: 4000, reason });
    },
  },
  'the server closes with a code and a reason': {
    async run({ client, server }) {
      for (const [code, reason] of [[1000, ''], [4001, 'enough'], [3000, 'r'.repeat(123)]]) {
        const socket = await client.open(`${server.ws}/probe/close`);
        await socket.send(`${code} ${reason}`);
        await assertClosed(socket, code, reason);
      }
    },
  },
  'the subprotocol is the first offered that the route speaks': {
    async run({ client, server }) {
      for (const [offered, chosen] of [[['tide.v9', 'tide.v1', 'tide.v2'], 'tide.v1'], [[], 'none']]) {
        const socket = await client.open(`${server.ws}/probe/protocol`, offered);
        assert.equal(socket.protocol, offered.length ? chosen : '');
        assertIs(await socket.next(), chosen);
        await socket.close();
      }
    },
  },
  'a refused handshake shows as what the client makes of it': {
    needs: 'refusal',
    async run({ client, server }) {
      for (const status of [401, 403, 404, 503]) {
        const { refused } = await client.open(`${server.ws}/probe/refuse/${status}`);
        assert.deepEqual(refused, client.refusal(status));
      }
    },
  },
  'what one says in a room all hear, and nobody elsewhere': {
    async run({ client, server }) {
      const open = room => enter(client, `${server.ws}/probe/room/${room}`);
      const [here, there, elsewhere] = [await open('pier'), await open('pier'), await open('mole')];
      for (const [from, said] of [[here, 'from here'], [there, 'from there'], [elsewhere, 'from the mole']]) {
        await from.send(said);
        for (const to of from === elsewhere ? [elsewhere] : [here, there]) assertIs(await to.next(), said);
      }
      for (const socket of [here, there, elsewhere]) await socket.close();
    },
  },
  'compression is agreed on and used, both ways': {
    needs: 'compression',
    async run({ client, server, test }) {
      const sizes = {};
      for (const route of ['plain', 'each', 'context']) {
        const wire = await openWire(server.port);
        test.after(() => wire.close());
        const socket = await client.open(`${wire.ws}/probe/deflate/${route}`);
        assert.equal(socket.extensions.startsWith('permessage-deflate'), route !== 'plain', route);
        const before = { ...wire.bytes };
        for (const data of [textOf(65536), bytesOf(65536)]) await assertEcho(socket, data);
        sizes[route] = { up: wire.bytes.up - before.up, down: wire.bytes.down - before.down };
        await socket.close();
      }
      for (const way of ['up', 'down']) {
        assert.ok(sizes.plain[way] > 2 * 65536, `${way}, plain: ${sizes.plain[way]} bytes`);
        for (const route of ['each', 'context']) {
          assert.ok(sizes[route][way] < 65536 / 10, `${way}, ${route}: ${sizes[route][way]} bytes`);
        }
      }
    },
  },
  'who reads late gets every message, in order': {
    needs: 'pause',
    async run({ client, server }) {
      const socket = await enter(client, `${server.ws}/probe/flood`);
      await socket.pause();
      const [count, length] = [96, 256 * 1024];  // 24 MiB, more than the system keeps for one connection
      const flood = await fetch(withQuery(`${server.http}/probe/flood`, { count, length }), { method: 'POST' });
      assert.equal(flood.status, 204);
      await socket.resume();
      for (let i = 1; i <= count; i++) {
        const text = await socket.next();
        assert.deepEqual([parseInt(text, 10), text.length], [i, length]);
      }
      await socket.close();
    },
  },
  'who comes back with the last id has every message once': {
    async run({ client, server, test }) {
      const wire = await openWire(server.port), publisher = await openPublisher(server);
      test.after(() => { publisher.close(); wire.close(); });
      const topics = ['long/back-a', 'long/back-b'], seen = [];
      let since;
      for (let round = 1; round <= 3; round++) {
        const socket = await follow(client, wire, topics, since);
        assert.equal(socket.hello.recovered, round > 1);
        for (const topic of topics) await publisher.publish(topic, `${round}, live`);
        seen.push(...await nextOf(socket, publisher.sent.length - seen.length));
        since = seen.at(-1).id;
        wire.cut();
        await assertClosed(socket, 1006, '');
        for (const topic of topics) await publisher.publish(topic, `${round}, missed`);
      }
      const socket = await follow(client, wire, topics, since);
      seen.push(...await nextOf(socket, topics.length));
      assertSame(onlyPublished(seen), onlyPublished(publisher.sent));
      await socket.close();
    },
  },
  'who comes back to a server that was killed is told so, and goes on': {
    async run({ client, test }) {
      const first = await startServer({ scripts: ['scripts'] });
      const wire = await openWire(first.port), publisher = await openPublisher(first);
      const socket = await follow(client, wire, ['long/killed']);
      await publisher.publish('long/killed', 'of the first life');
      const { id } = await socket.nextJson();
      await first.kill();
      await assertClosed(socket, 1006, '');

      const second = await startServer({ scripts: ['scripts'] });
      const after = await openPublisher(second);
      test.after(() => { after.close(); wire.close(); return second.stop(); });
      wire.target = second.port;
      await after.publish('long/killed', 'kept');
      const back = await follow(client, wire, ['long/killed'], id);
      assert.equal(back.hello.recovered, false);
      await after.publish('long/killed', 'live');
      assertSame(onlyPublished(await nextOf(back, 2)), onlyPublished(after.sent));
      await back.close();
    },
  },
};

// client: { name, can: list of what rules need, start() -> see driven.mjs, refusal(status): what it shows of one }.
export function testRules({ name, can, start, refusal }) {
  let server, client;
  before(async () => {
    server = await startServer({ scripts: ['scripts'] });
    client = { ...await start(server), refusal };
  });
  after(async () => {
    await client?.stop?.();
    await server?.stop();
  });
  for (const [rule, { needs, run }] of Object.entries(RULES)) {
    if (!needs || can.includes(needs)) test(`${name}: ${rule}`, LIMIT, test => run({ client, server, test }));
  }
}
