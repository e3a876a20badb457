// The chat's WebSocket: connects, comes back after a loss, and asks then for what it missed.

const WAIT_FIRST = 500, WAIT_MOST = 8000;  // milliseconds

export class Chat {
  // on: { state(name), welcome(message), message(message), people(count), you(message), note(text) }
  constructor(on) {
    this.on = on;
    this.wait = WAIT_FIRST;
    this.seen = new Set();
  }

  join(room, name) {
    this.leave();
    this.room = room;
    this.name = name;
    this.after = null;  // the newest id that surely has come, with all before it
    this.seen.clear();
    this.connect();
  }

  leave() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }

  connect() {
    this.on.state('wait');
    const query = new URLSearchParams({ name: this.name });
    if (this.after) query.set('since', this.after);
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/demo/chat/${this.room}?${query}`);
    this.socket = socket;
    socket.onmessage = event => this.receive(JSON.parse(event.data));
    socket.onclose = () => { if (this.socket === socket) this.lost(); };
  }

  lost() {
    this.socket = null;
    this.on.state('lost');
    this.timer = setTimeout(() => this.connect(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, WAIT_MOST);
  }

  send(value) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(value));
    return true;
  }

  say(text) { return this.send({ type: 'say', text }); }
  who() { return this.send({ type: 'who' }); }
  rename(name) {
    this.name = name;
    return this.send({ type: 'name', name });
  }

  receive(message) {
    const handle = this.receivers[message.type];
    if (handle) handle.call(this, message);
  }

  receivers = {
    welcome(message) {
      this.wait = WAIT_FIRST;
      this.on.state('open');
      this.on.welcome(message);
      if (message.missed) this.on.note('Some messages came while you were away and are no longer kept.');
    },
    message(message) {
      if (message.after) this.after = message.after;
      if (this.seen.has(message.key)) return;  // a replay starts a little early
      this.seen.add(message.key);
      this.on.message(message);
    },
    people(message) { this.on.people(message.count); },
    you(message) { this.on.you(message); },
    gap(message) { this.on.note(`${message.missed} messages were missed.`); },
    error(message) { this.on.note(message.text); },
  };
}
