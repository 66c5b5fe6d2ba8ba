// The oracle of the scanner's tests: the same decisions in the plainest way, on JSON.parse with the source text of every
// number, BigInt and regular expressions. Slow, and sharing no code with the scanner.
import type { Inner, Shape, Type } from '../../src/schema/type.ts'

export type Value = null | boolean | number | bigint | string
export type Verdict = { readonly values: readonly Value[] } | { readonly code: string }

/** A number as it was written. */
class Written {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

const refuse = (code: string): never => {
  throw new Refused(code)
}

/** Not an Error: tens of thousands are thrown, and none needs a stack. */
class Refused {
  readonly code: string
  constructor(code: string) {
    this.code = code
  }
}

/** What the scanner must say about a line. */
export function decide(shape: Shape, line: string, ignoreUnknown = false): Verdict {
  let row: unknown
  try {
    row = JSON.parse(line)
  } catch {
    return { code: 'MR_ROW_JSON' }
  }
  if (line.length > 64 && depthOf(line) > 64) return { code: 'MR_ROW_JSON' }
  if (line.includes('\\u') && hasLoneEscape(line)) return { code: 'MR_ROW_UTF8' }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return { code: 'MR_ROW_NOT_OBJECT' }
  try {
    return { values: readFields(shape, membersOf(line), ignoreUnknown) }
  } catch (error) {
    if (error instanceof Refused) return { code: error.code }
    throw error
  }
}

function readFields(shape: Shape, members: readonly (readonly [string, string])[], ignoreUnknown: boolean): Value[] {
  const found = new Map<string, Value>()
  for (const [key, source] of members) {
    const field = shape.fields.find(({ name }) => name === key)
    if (!field && !ignoreUnknown) refuse('MR_ROW_UNKNOWN_FIELD')
    if (!field) continue
    if (found.has(key)) refuse('MR_ROW_DUPLICATE_FIELD')
    found.set(key, readField(field, parse(source), source, ignoreUnknown))
  }
  return shape.fields.map(({ name, optional }) => found.get(name) ?? (optional ? null : refuse('MR_ROW_MISSING')))
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g

/** Keys and value texts of a line that is an object, in order. */
function membersOf(line: string): [string, string][] {
  const members: [string, string][] = []
  let depth = 0
  let key = ''
  let from = -1
  for (const { 0: token, index } of line.matchAll(TOKEN)) {
    const closes = token === '}' || token === ']'
    if (depth === 1 && (token === ',' || closes) && from >= 0) {
      members.push([key, line.slice(from, index).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')])
      from = -1
    }
    if (token === '{' || token === '[') depth++
    else if (closes) depth--
    else if (depth === 1 && token === ':') from = index + 1
    else if (depth === 1 && from < 0 && token !== ',') key = JSON.parse(token)
  }
  return members
}

/** Texts of the elements of an array. */
function elementsOf(source: string): string[] {
  const texts: string[] = []
  let depth = 0
  let from = source.indexOf('[') + 1
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    const closes = token === '}' || token === ']'
    if (depth === 1 && (token === ',' || closes)) {
      texts.push(source.slice(from, index).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''))
      from = index + 1
    }
    if (token === '{' || token === '[') depth++
    else if (closes) depth--
  }
  return texts.length === 1 && texts[0] === '' ? [] : texts
}

function readField({ type, optional }: Inner, value: unknown, source: string, ignoreUnknown: boolean): Value {
  if (value === null) return optional ? null : refuse('MR_ROW_MISSING')
  return READERS[type.kind](value, type as never, source, ignoreUnknown)
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Written)

/** Keys have quotes whatever they are. */
function readKey(type: Type, key: string): Value {
  if (type.kind === 'int') return Number(within(scaled(numberOrText(key, /^-?(0|[1-9]\d*)$/), 10, 0), 32))
  return READERS[type.kind](key, type as never, JSON.stringify(key), false)
}

const wrong = (): never => refuse('MR_ROW_TYPE')
const range = (): never => refuse('MR_ROW_RANGE')
const text = (value: unknown): string => (typeof value === 'string' ? value : wrong())
const number = (value: unknown): string => (value instanceof Written ? value.source : wrong())
const numberOrText = (value: unknown, pattern: RegExp): string => {
  const written = value instanceof Written ? value.source : text(value)
  return value instanceof Written || pattern.test(written) ? written : wrong()
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** The value times 10^scale as an integer, if it is one and has at most `precision` digits. */
function scaled(source: string, precision: number, scale: number): bigint {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source)!
  const digits = BigInt(whole! + fraction)
  if (digits === 0n) return 0n
  const shift = Number(exponent) - fraction.length + scale
  if (shift > 60 || shift < -400) return range()
  const factor = 10n ** BigInt(Math.abs(shift))
  if (shift < 0 && digits % factor !== 0n) return range()
  const value = shift < 0 ? digits / factor : digits * factor
  if (value >= 10n ** BigInt(precision)) return range()
  return sign === '-' ? -value : value
}

const within = (value: bigint, bits: number): bigint => (BigInt.asIntN(bits, value) === value ? value : range())

function decimalText(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  const cut = digits.length - scale
  return `${value < 0n ? '-' : ''}${digits.slice(0, cut)}${scale > 0 ? `.${digits.slice(cut)}` : ''}`
}

function double(value: unknown, single: boolean): number {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value)
  const parsed = Number(number(value))
  const stored = single ? Math.fround(parsed) : parsed
  return Number.isFinite(stored) ? stored : range()
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d+))?$/

function days(source: string): bigint {
  const [, year, month, day] = (DATE.exec(source) ?? wrong()) as RegExpExecArray
  const date = new Date(`${source}T00:00:00Z`)
  if (year === '0000' || Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== `${year}-${month}-${day}`) range()
  return BigInt(date.getTime()) / 86_400_000n
}

function micros(source: string): bigint {
  const [, hour, minute, second, fraction = ''] = (TIME.exec(source) ?? wrong()) as RegExpExecArray
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || /[1-9]/.test(fraction.slice(6))) range()
  return BigInt(Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
}

function instant(source: string): bigint {
  const [, date, time, zone] = (/^([\d-]{10})[Tt ]([\d:.]+)([Zz]|[+-]\d\d(?::?\d\d)?)?$/.exec(source) ?? wrong()) as RegExpExecArray
  if (!DATE.test(date!) || !TIME.test(time!)) wrong()
  const local = days(date!) * 86_400_000_000n + micros(time!)
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone ?? '') ?? []
  if (Number(hours) > 23 || Number(minutes) > 59) range()
  const offset = BigInt(Number(hours) * 60 + Number(minutes)) * 60_000_000n
  const value = sign === '-' ? local + offset : local - offset
  return Number.isSafeInteger(Number(value)) && BigInt(Number(value)) === value ? value : range()
}

const clockTime = (source: string): bigint => (/^[\d-]{10}[Tt ][\d:.]+$/.test(source) ? instant(source) : wrong())

type Reader<K extends Type['kind']> = (value: unknown, type: Extract<Type, { kind: K }>, source: string, ignoreUnknown: boolean) => Value

const READERS: { [K in Type['kind']]: Reader<K> } = {
  boolean: (value) => (typeof value === 'boolean' ? value : wrong()),
  int: (value) => Number(within(scaled(number(value), 10, 0), 32)),
  long: (value) => within(scaled(numberOrText(value, /^-?(0|[1-9]\d*)$/), 19, 0), 64),
  float: (value) => double(value, true),
  double: (value) => double(value, false),
  decimal: (value, { precision, scale }) => {
    const unscaled = scaled(numberOrText(value, NUMBER), precision, scale)
    return precision <= 18 ? unscaled : decimalText(unscaled, scale)
  },
  date: (value) => Number(days(text(value))),
  time: (value) => micros(text(value)),
  timestamp: (value) => instant(text(value)),
  datetime: (value) => clockTime(text(value)),
  string: text,
  uuid: (value) => (/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text(value)) ? (value as string).toLowerCase() : wrong()),
  binary: (value) => {
    const bytes = Buffer.from(text(value), 'base64')
    return bytes.toString('base64') === value ? bytes.toString('hex') : wrong()
  },
  json: (_value, _type, source) => source,
  struct: (value, type, source, ignoreUnknown) => {
    if (!isObject(value)) wrong()
    readFields(type, membersOf(source), ignoreUnknown)
    return source
  },
  list: (value, { element }, source, ignoreUnknown) => {
    if (!Array.isArray(value)) wrong()
    for (const text of elementsOf(source)) readField(element, parse(text), text, ignoreUnknown)
    return source
  },
  map: (value, type, source, ignoreUnknown) => {
    if (!isObject(value)) wrong()
    const keys = new Set<Value>()
    for (const [name, text] of membersOf(source)) {
      const key = readKey(type.key, name)
      if (keys.has(key)) refuse('MR_ROW_DUPLICATE_FIELD')
      keys.add(key)
      readField(type.value, parse(text), text, ignoreUnknown)
    }
    return source
  },
  enum: (value, { values }) => (values.includes(text(value)) ? (value as string) : refuse('MR_ROW_ENUM')),
}

function parse(line: string): unknown {
  const reviver = (_key: string, value: unknown, context: { source?: string }): unknown =>
    typeof value === 'number' ? new Written(context.source!) : value
  return JSON.parse(line, reviver as (key: string, value: unknown) => unknown)
}

/** Half of a surrogate pair, written as an escape, in any string of the line. */
const hasLoneEscape = (line: string): boolean =>
  [...line.matchAll(TOKEN)].some(({ 0: token }) => token.startsWith('"') && !(JSON.parse(token) as string).isWellFormed())

/** Of the text, since a member whose key comes again is not in the parsed value. */
function depthOf(line: string): number {
  let [depth, deepest] = [0, 0]
  for (const [token] of line.matchAll(TOKEN)) {
    if (token === '{' || token === '[') deepest = Math.max(deepest, ++depth)
    else if (token === '}' || token === ']') depth--
  }
  return deepest
}
