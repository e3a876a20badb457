// The tide gauge: the last ninety levels as a line with water under it.
import { $ } from '/demo/dom.js';

const KEPT = 90, WIDTH = 360, HEIGHT = 96, METRES = 2.2;
const levels = [];

function path() {
  const step = WIDTH / (KEPT - 1), start = KEPT - levels.length;
  return levels.map((level, i) => {
    const x = (start + i) * step, y = HEIGHT / 2 - level / METRES * HEIGHT / 2;
    return `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
  }).join('');
}

export function showLevel({ level }) {
  levels.push(level);
  if (levels.length > KEPT) levels.shift();
  const line = path(), left = (KEPT - levels.length) * WIDTH / (KEPT - 1);
  $('gauge-line').setAttribute('d', line);
  $('gauge-area').setAttribute('d', `${line}L${WIDTH} ${HEIGHT}L${left.toFixed(1)} ${HEIGHT}Z`);
  $('tide-level').textContent = `${level < 0 ? '\u2212' : '+'}${Math.abs(level).toFixed(2)}`;
  const before = levels[Math.max(0, levels.length - 6)];
  $('tide-way').textContent = level >= before ? 'rising' : 'falling';
}
