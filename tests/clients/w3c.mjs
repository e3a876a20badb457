// Drives WebSockets of the browsers' API by commands, here or in a page: so it uses nothing from outside. What comes
// is told as { text }, { binary } in base64 or { close: { code, reason } }, as driver.py tells it.
export function makeDriver(makeSocket) {
  const clients = {};

  function pack(data) {
    if (typeof data === 'string') return { text: data };
    const bytes = new Uint8Array(data);
    let binary = '';
    for (let at = 0; at < bytes.length; at += 32768) {
      binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
    }
    return { binary: btoa(binary) };
  }

  function unpack({ text, binary }) {
    if (text !== undefined) return text;
    const characters = atob(binary), bytes = new Uint8Array(characters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
    return bytes;
  }

  // What came waits in `items`, who waits for it in `waiting`.
  function take(client, item) {
    if (client.waiting.length) client.waiting.shift()(item);
    else client.items.push(item);
  }

  return {
    clients,
    open: ({ id, url, protocols }) => new Promise(resolve => {
      const socket = makeSocket(url, protocols);
      const client = clients[id] = { socket, items: [], waiting: [], isOpen: false, error: '' };
      socket.binaryType = 'arraybuffer';
      socket.addEventListener('open', () => {
        client.isOpen = true;
        resolve({ protocol: socket.protocol, extensions: socket.extensions });
      });
      socket.addEventListener('error', ({ message }) => { client.error ||= message ?? ''; });
      socket.addEventListener('message', ({ data }) => take(client, pack(data)));
      socket.addEventListener('close', ({ code, reason }) => {
        if (client.isOpen) take(client, { close: { code, reason } });
        else resolve({ refused: { code, message: client.error } });
      });
    }),
    send: ({ id, message }) => clients[id].socket.send(unpack(message)),
    next: ({ id }) => {
      const { items, waiting } = clients[id];
      return items.length ? items.shift() : new Promise(resolve => waiting.push(resolve));
    },
    close: ({ id, code, reason }) => clients[id].socket.close(code, reason),
  };
}
