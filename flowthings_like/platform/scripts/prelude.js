// What a script finds around it: Flow, Task, console. The value of this file is the function that runs one
// script on one input. It is evaluated before the script, in strict mode, and keeps its own copies of what
// it calls, so that a script that replaces these cannot change what it does.
//
// A script can wait for nothing. When it asks for data that is not here yet, it is ended by an exception; the
// platform looks the data up and runs the script again, with all answers so far.
(function () {
  'use strict';

  const stringify = JSON.stringify, parse = JSON.parse, JSError = Error, JSPromise = Promise;
  const exec = Function.prototype.call.bind(RegExp.prototype.exec);
  const split = Function.prototype.call.bind(String.prototype.split);
  const slice = Function.prototype.call.bind(String.prototype.slice);
  const FRAME = /^ *at (\S+) \(<input>:(\d+)/;
  const MOST_LINES = 100, LONGEST_LINE = 1000;
  const PENDING = Object.freeze({ toString() { return 'an answer of the platform is pending'; } });

  let answers, wanted, log, lines;

  function flow$line(stack) {
    for (const text of split(String(stack), '\n')) {
      const found = exec(FRAME, text);
      if (found !== null && slice(found[1], 0, 5) !== 'flow$') return +found[2];
    }
    return null;
  }

  function flow$shown(value) {
    if (typeof value === 'string') return value;
    if (value instanceof JSError) return value.name + ': ' + value.message;
    const text = typeof value === 'function' ? undefined : stringify(value);
    return text === undefined ? String(value) : text;
  }

  function flow$log(...values) {
    if (lines === MOST_LINES) return;
    let text = '';
    for (let i = 0; i < values.length; i++) text += (i ? ' ' : '') + flow$shown(values[i]);
    log[lines++] = { line_no: flow$line(new JSError().stack) || 0, message: slice(text, 0, LONGEST_LINE) };
  }

  class flow$Error extends JSError {
    constructor(message, details) {
      super(message);
      this.details = details;
    }
    get name() { return 'Flow.Error'; }
  }

  function flow$ask(name, values) {
    const key = stringify([name, values]);
    const answer = answers[key];
    if (answer === undefined) {
      if (wanted === null) wanted = key;
      throw PENDING;
    }
    if (answer.error !== undefined) throw new flow$Error(answer.error, { call: name });
    return parse(stringify(answer.value));
  }

  function flow$asking(name) {
    return function flow$call(...values) { return flow$ask(name, values); };
  }

  function flow$refused() {
    throw new flow$Error('a script reaches nothing outside: return drops, and let a task or a client send them');
  }

  function flow$group(noun, names) {
    const group = {};
    for (const name of names) group[name] = flow$asking(noun + '.' + name);
    return Object.freeze(group);
  }

  const console = Object.freeze({
    log: flow$log, info: flow$log, debug: flow$log, warn: flow$log, error: flow$log,
  });
  const Flow = Object.freeze({
    Drop: flow$group('Drop', ['find', 'findOne', 'findFHash', 'get', 'aggregate']),
    Flow: flow$group('Flow', ['find', 'get']),
    Track: flow$group('Track', ['find', 'get']),
    Http: Object.freeze({ get: flow$refused, post: flow$refused }),
    Error: flow$Error,
    log: flow$log,
  });
  class Task {
    constructor(options) {
      this.request = options.request;
      this.callback = options.callback;
    }
  }
  for (const [name, value] of [['console', console], ['Flow', Flow], ['Task', Task]])
    Object.defineProperty(globalThis, name, { value });
  for (const name of ['eval', 'Function', 'SharedArrayBuffer', 'Atomics', 'performance', 'queueMicrotask'])
    delete globalThis[name];

  // Scripts from the platform's version 0 read drop.elems.temp.value where today's read drop.elems.temp.
  for (const type of [Number, String, Boolean, Array])
    Object.defineProperty(type.prototype, 'value', { get() { return this; } });

  function flow$result(script, kind, input) {
    if (kind === 'track') {
      if (typeof script !== 'function')
        throw new flow$Error('js must be one function that takes the drop, such as drop => drop');
      return script(input);
    }
    if (!(script instanceof Task) || typeof script.callback !== 'function')
      throw new flow$Error('js must be new Task({request: …, callback: function (text) {…}})');
    if (input.text !== undefined) return script.callback(input.text);
    return typeof script.request === 'function' ? script.request() : script.request;
  }

  return function flow$run(script, kind, inputText, answersText) {
    answers = parse(answersText);
    wanted = null;
    log = [];
    lines = 0;
    let value = null, error = null, line = null;
    try {
      value = flow$result(script, kind, parse(inputText));
      if (value instanceof JSPromise) throw new flow$Error('the function must not be async: it returned a promise');
      value = stringify(value);
      if (value === undefined) value = 'null';
    } catch (thrown) {
      // The engine throws null if it has no memory left for an error.
      error = thrown === null ? 'out of memory, or null was thrown' : flow$shown(thrown);
      line = thrown instanceof JSError ? flow$line(thrown.stack) : null;
    }
    if (wanted !== null) return stringify({ wanted });
    return stringify(error === null ? { value, log } : { error: slice(error, 0, LONGEST_LINE), line, log });
  };
})()
