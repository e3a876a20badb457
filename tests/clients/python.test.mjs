// The Python clients of Debian, python3-websockets and python3-websocket: see driver.py.
import { startPython } from './driven.mjs';
import { testRules } from './rules.mjs';

const CAN = ['fragments', 'ping', 'refusal', 'pause'];
const refusal = status => ({ status });

testRules({ name: 'websockets', can: [...CAN, 'compression'], refusal, start: () => startPython('websockets') });
testRules({ name: 'websocket', can: CAN, refusal, start: () => startPython('websocket') });
