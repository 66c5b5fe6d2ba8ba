// Makes lines for the scanner's tests from a seed: values at and beyond every limit, in every spelling that JSON allows,
// keys in any order, absent, twice or unknown, and now and then a byte that does not belong there.
import type { Field, Shape, Type } from '../../src/schema/type.ts'

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A source of choices over one seed. */
export class Dice {
  readonly next: () => number
  constructor(seed: number) {
    this.next = seeded(seed)
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }
  chance(share: number): boolean {
    return this.next() < share
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }
  digits(count: number): string {
    let text = ''
    for (let i = 0; i < count; i++) text += this.below(10)
    return text
  }
}

const place: Type = {
  kind: 'struct',
  fields: [
    { name: 'zone', type: { kind: 'string' }, optional: false },
    { name: 'é', type: { kind: 'double' }, optional: true },
  ],
}

const item: Type = {
  kind: 'struct',
  fields: [
    { name: 'sku', type: { kind: 'uuid' }, optional: true },
    { name: 'price', type: { kind: 'decimal', precision: 20, scale: 2 }, optional: false },
    { name: 'tags', type: { kind: 'list', element: { type: { kind: 'enum', values: ['a', 'b'] }, optional: true } }, optional: true },
    { name: 'at', type: place, optional: true },
    { name: 'more', type: { kind: 'json' }, optional: true },
  ],
}

export const everyKind: Shape = {
  fields: [
    { name: 'id', type: { kind: 'uuid' }, optional: false },
    { name: 'opt', type: { kind: 'string' }, optional: true },
    { name: 'count', type: { kind: 'int' }, optional: false },
    { name: 'total', type: { kind: 'long' }, optional: true },
    { name: 'price', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: false },
    { name: 'wei', type: { kind: 'decimal', precision: 38, scale: 10 }, optional: true },
    { name: 'units', type: { kind: 'decimal', precision: 18, scale: 0 }, optional: true },
    { name: 'ratio', type: { kind: 'double' }, optional: true },
    { name: 'small', type: { kind: 'float' }, optional: true },
    { name: 'on', type: { kind: 'boolean' }, optional: false },
    { name: 'day', type: { kind: 'date' }, optional: true },
    { name: 'clock', type: { kind: 'time' }, optional: true },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: 'local', type: { kind: 'datetime' }, optional: true },
    { name: 'page', type: { kind: 'enum', values: ['home', 'cart', 'product', 'é', ''] }, optional: true },
    { name: 'body', type: { kind: 'binary' }, optional: true },
    { name: 'extra', type: { kind: 'json' }, optional: true },
    { name: 'where', type: place, optional: true },
    { name: 'items', type: { kind: 'list', element: { type: item, optional: false } }, optional: true },
    { name: 'names', type: { kind: 'map', key: { kind: 'string' }, value: { type: { kind: 'long' }, optional: true } }, optional: true },
    {
      name: 'grid',
      type: {
        kind: 'map',
        key: { kind: 'int' },
        value: { type: { kind: 'list', element: { type: { kind: 'datetime' }, optional: true } }, optional: false },
      },
      optional: true,
    },
    { name: 'na"me\u00e9\n', type: { kind: 'string' }, optional: true },
  ],
}

const NUMBERS = [
  '0',
  '-0',
  '1',
  '-1',
  '2147483647',
  '-2147483648',
  '2147483648',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-9223372036854775809',
  '12345678901234567890',
  '99999999999.99',
  '1e400',
  '-1e400',
  '1e-400',
  '5e-324',
  '1.7976931348623157e308',
  '1e2',
  '1E+2',
  '100e-2',
  '1.50',
  '0.1',
  '0.10',
  '1.005',
  '-0.0',
  '0e999999999999',
  '3.4028235e38',
  '3.5e38',
  '1e999999999999',
  '1e-999999999999',
  '123456789012345',
  '1234567890123456',
  '999999999999999',
  '0.000000000000001',
  '123456789.123456789',
  '9999999999.99',
  '9999999999.995',
  '10000000000.00',
  '1.0',
  '9999999999999999999999999999.9999999999',
  '10000000000000000000000000000',
  '0.0000000001',
  '-0.0000000000',
  '01',
  '1.',
  '.5',
  '+1',
  '1e',
  '-',
  '0x1',
  'NaN',
  'Infinity',
  '1_000',
] // prettier-ignore

const TIMES = [
  '00:00:00',
  '23:59:59.999999',
  '24:00:00',
  '12:60:00',
  '12:00:60',
  '01:02:03.1',
  '01:02:03.1234567',
  '01:02:03.1234560',
  '01:02:03.',
  '1:02:03',
  '01:02',
]
const DATES = [
  '1970-01-01',
  '2024-02-29',
  '2023-02-29',
  '1900-02-29',
  '2000-02-29',
  '0000-01-01',
  '0001-01-01',
  '9999-12-31',
  '2026-13-01',
  '2026-00-10',
  '2026-01-32',
  '2026-1-01',
  '20260101',
  '1684-07-01',
  '2255-06-05',
]
const ZONES = ['Z', 'z', '', '+02:00', '-0330', '+14', '+24:00', '-00:60', '+2:00', 'UTC', ' Z', '+02:0']
const STRINGS = [
  '',
  'a',
  'plain text',
  'tab\tline\nquote"back\\slash/',
  '\u0000',
  'é',
  '日本',
  '😀',
  '\u2028',
  '\u007f',
  'x'.repeat(300),
  '__proto__',
  'null',
  ' home',
  'HOME',
]

/** Some JSON text for a value of the type: mostly good, sometimes at the edge, sometimes wrong. */
function valueText(type: Type, dice: Dice): string {
  const roll = dice.next()
  if (roll < 0.03) return 'null'
  if (roll < 0.06) return dice.pick(['true', '{}', '[1,2]', '"x"', '5', '""', '{"a":{"b":[null]}}', 'nul', 'TRUE', "'x'", ''])
  return VALUES[type.kind](type as never, dice)
}

const numberText = (dice: Dice): string => {
  const roll = dice.next()
  if (roll < 0.3) return dice.pick(NUMBERS)
  const sign = dice.chance(0.2) ? '-' : ''
  const whole = dice.chance(0.2) ? '0' : `${1 + dice.below(9)}${dice.digits(dice.below(roll < 0.5 ? 22 : 8))}`
  const fraction = dice.chance(0.4) ? `.${dice.digits(1 + dice.below(roll < 0.5 ? 12 : 3))}` : ''
  const exponent = dice.chance(0.1) ? `${dice.pick(['e', 'E'])}${dice.pick(['', '+', '-'])}${dice.below(12)}` : ''
  return sign + whole + fraction + exponent
}

const maybeQuoted = (text: string, dice: Dice): string => (dice.chance(0.3) ? quote(text, dice) : text)
const dateText = (dice: Dice): string =>
  dice.chance(0.2)
    ? dice.pick(DATES)
    : `${1680 + dice.below(580)}-${String(1 + dice.below(12)).padStart(2, '0')}-${String(1 + dice.below(dice.chance(0.9) ? 28 : 31)).padStart(2, '0')}`
const timeText = (dice: Dice): string =>
  dice.chance(0.1)
    ? dice.pick(TIMES)
    : `${['0', '1'][dice.below(2)]}${dice.below(10)}:${dice.below(6)}${dice.below(10)}:${dice.below(6)}${dice.below(10)}${dice.chance(0.6) ? `.${dice.digits(1 + dice.below(6))}` : ''}`

type Maker<K extends Type['kind']> = (type: Extract<Type, { kind: K }>, dice: Dice) => string

const VALUES: { [K in Type['kind']]: Maker<K> } = {
  boolean: (_, dice) => dice.pick(['true', 'false']),
  int: (_, dice) => (dice.chance(0.8) ? String(dice.below(1e6) - 5e5) : maybeQuoted(numberText(dice), dice)),
  long: (_, dice) => maybeQuoted(dice.chance(0.7) ? `${1 + dice.below(9)}${dice.digits(dice.below(19))}` : numberText(dice), dice),
  float: (_, dice) => (dice.chance(0.02) ? dice.pick(['"NaN"', '"Infinity"', '"-Infinity"', '"nan"']) : numberText(dice)),
  double: (_, dice) => (dice.chance(0.02) ? dice.pick(['"NaN"', '"Infinity"', '"-Infinity"', '"nan"']) : numberText(dice)),
  decimal: (_, dice) => maybeQuoted(dice.chance(0.7) ? `${dice.below(1e6)}.${dice.digits(1 + dice.below(2))}` : numberText(dice), dice),
  date: (_, dice) => quote(dateText(dice), dice),
  time: (_, dice) => quote(timeText(dice), dice),
  timestamp: (_, dice) =>
    quote(
      `${dateText(dice)}${dice.chance(0.95) ? 'T' : dice.pick([' ', 't', '_', ''])}${timeText(dice)}${dice.chance(0.8) ? 'Z' : dice.pick(ZONES)}`,
      dice,
    ),
  datetime: (_, dice) =>
    quote(
      `${dateText(dice)}${dice.chance(0.95) ? 'T' : dice.pick([' ', 't', '_', ''])}${timeText(dice)}${dice.chance(0.9) ? '' : dice.pick(ZONES)}`,
      dice,
    ),
  string: (_, dice) => quote(stringOf(dice), dice),
  uuid: (_, dice) => quote(uuidOf(dice), dice),
  binary: (_, dice) =>
    quote(
      dice.chance(0.9)
        ? Buffer.from(dice.digits(dice.below(20))).toString('base64')
        : dice.pick(['A', 'AB', 'ABC', 'AB==', 'QQ==', 'QR==', '====', 'A===', 'QQ=', 'Q-_=', 'QUJ=', 'QUI=']),
      dice,
    ),
  json: (_, dice) => jsonText(dice, 0),
  struct: ({ fields }, dice) => {
    const kept = fields.filter(({ optional }) => !optional || dice.chance(0.7)).map((field) => memberText(field, dice))
    if (dice.chance(0.02)) kept.push(dice.pick(['"other":1', '"zone":"twice"', '"ZONE":"x"']))
    return `{${gapped(kept, dice)}}`
  },
  list: ({ element }, dice) =>
    `[${gapped(
      Array.from({ length: dice.below(4) }, () => calm(element.type, dice)),
      dice,
    )}]`,
  map: ({ key, value }, dice) =>
    `{${gapped(
      Array.from({ length: dice.below(4) }, () => {
        const name =
          key.kind === 'int'
            ? JSON.stringify(String(dice.chance(0.97) ? dice.below(1e6) : dice.pick(NUMBERS)))
            : quote(stringOf(dice), dice)
        return `${name}:${calm(value.type, dice)}`
      }),
      dice,
    )}}`,
  enum: ({ values }, dice) => quote(dice.chance(0.95) ? dice.pick(values) : stringOf(dice), dice),
}

const gapped = (parts: readonly string[], dice: Dice): string => parts.join(dice.pick([',', ',', ', ', ' ,\t']))

const memberText = ({ name, type }: Field, dice: Dice): string => `${quote(name, dice)}:${dice.pick(['', ' '])}${calm(type, dice)}`

/** Of many values inside one row few may be wrong, or hardly a row would be taken. */
const calm = (type: Type, dice: Dice): string => (dice.chance(0.98) ? soundText(type, dice) : valueText(type, dice))

function soundText(type: Type, dice: Dice): string {
  switch (type.kind) {
    case 'long':
    case 'decimal':
      return String(dice.below(1e6))
    case 'double':
      return dice.pick(['0', '-0', '1e-3', '1.5', '"NaN"'])
    case 'timestamp':
      return quote(`2026-0${1 + dice.below(9)}-0${1 + dice.below(9)}T0${dice.below(10)}:00:00Z`, dice)
    default:
      return VALUES[type.kind](type as never, dice)
  }
}

const stringOf = (dice: Dice): string => (dice.chance(0.3) ? dice.pick(STRINGS) : `s${dice.digits(dice.below(30))}`)

function uuidOf(dice: Dice): string {
  const hex = Array.from({ length: 4 }, () => dice.below(0x100000000).toString(16).padStart(8, '0')).join('')
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  if (dice.chance(0.03)) return uuid.toUpperCase()
  if (dice.chance(0.02)) return dice.pick([uuid.replace('-', ''), `${uuid}0`, uuid.slice(1), uuid.replace(/.$/, 'g'), `{${uuid}}`])
  return uuid
}

function jsonText(dice: Dice, depth: number): string {
  const space = dice.chance(0.1) ? dice.pick([' ', '\t', '\r', '  ']) : ''
  if (depth < 4 && dice.chance(0.3)) {
    const items = Array.from({ length: dice.below(4) }, () => jsonText(dice, depth + 1))
    return dice.chance(0.5)
      ? `[${space}${items.join(`,${space}`)}]`
      : `{${space}${items.map((item) => `${quote(stringOf(dice), dice)}${space}:${item}`).join(',')}}`
  }
  if (depth === 0 && dice.chance(0.01)) return `${'['.repeat(62 + dice.below(4))}${']'.repeat(63)}`
  return dice.pick([() => numberText(dice), () => quote(stringOf(dice), dice), () => 'true', () => 'null'])()
}

/** The string as JSON, now and then with needless or broken escapes. */
function quote(text: string, dice: Dice): string {
  const plain = JSON.stringify(text)
  const roll = dice.next()
  if (roll < 0.9 || text === '') return plain
  if (roll < 0.97) return `"${[...text].map((c) => (dice.chance(0.3) ? escapeAll(c, dice) : JSON.stringify(c).slice(1, -1))).join('')}"`
  if (roll < 0.98) return plain.replace('/', '\\/')
  if (roll < 0.99) return `"${text}"`
  return dice.pick(['"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\x41"', '"\\u00g0"', '"\\u12"', '"\\"', '"open'])
}

const escapeAll = (c: string, dice: Dice): string =>
  Array.from({ length: c.length }, (_, i) => {
    const hex = c.charCodeAt(i).toString(16).padStart(4, '0')
    return `\\u${dice.chance(0.5) ? hex.toUpperCase() : hex}`
  }).join('')

/** How the keys of a line come: as declared mostly, so that generated loops have their part. */
export interface Habit {
  readonly order: readonly Field[]
  readonly comma: string
  readonly colon: string
  readonly wild: number
}

/** One line. `wild` is the share of rows that are spelled or built in odd ways. */
export function lineOf({ order, comma, colon, wild }: Habit, dice: Dice): string {
  const odd = dice.chance(wild)
  let fields = order.filter((field) => !field.optional || dice.chance(0.7))
  if (odd && dice.chance(0.2)) fields = [...fields].sort(() => dice.next() - 0.5)
  if (odd && dice.chance(0.1)) fields = fields.filter(() => dice.chance(0.9))
  if (odd && dice.chance(0.1)) fields = [...fields, dice.pick(order)]
  if (odd && dice.chance(0.1))
    fields = [...fields, { name: dice.pick(['nope', 'ID', '', 'id ', '__proto__']), type: { kind: 'json' }, optional: true }]
  const space = (): string => (odd && dice.chance(0.1) ? dice.pick([' ', '\t', '  ', '\r']) : '')
  const members = fields.map(({ name, type }) => {
    const value = odd ? valueText(type, dice) : goodText(type, dice)
    const key = odd && dice.chance(0.02) ? quote(name, dice) : JSON.stringify(name)
    return `${space()}${key}${space()}${colon}${space()}${value}${space()}`
  })
  const text = `${space()}{${members.join(comma)}}${space()}`
  return odd && dice.chance(0.05) ? spoil(text, dice) : text
}

/** A value of the common spelling; may still be out of range. */
const goodText = (type: Type, dice: Dice): string => (dice.chance(0.02) ? 'null' : VALUES[type.kind](type as never, dice))

function spoil(text: string, dice: Dice): string {
  const at = dice.below(text.length)
  return dice.pick([
    () => text.slice(0, at),
    () => text.slice(0, at) + text.slice(at + 1),
    () => text.slice(0, at) + dice.pick(['"', '\\', '}', '{', ',', ':', '\u0001', 'é', '0', '[']) + text.slice(at),
    () => `${text}${dice.pick(['}', 'x', ',', '{}', ' 1'])}`,
    () => `\ufeff${text}`,
    () => dice.pick(['[]', '5', '"x"', 'null', 'true', '{}', '{', '{"id"}', '{,}', '[{}]']),
  ])()
}
