// Text functions with DuckDB's semantics over JavaScript strings: positions count code points, case is mapped one code point at
// a time, JSON text comes out as DuckDB prints it. Pure functions; they are called by generated code.
import { jsonAt } from './json-path.ts'

const isPlain = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0xd800) return false
  return true
}

const isAscii = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** Code points, or the string itself where each character is one. */
const points = (text: string): string | string[] => (isPlain(text) ? text : [...text])

const cut = (of: string | string[], from: number, until: number): string => {
  const part = of.slice(Math.max(0, from), Math.max(0, until))
  return typeof part === 'string' ? part : part.join('')
}

/** Simple case mappings of Unicode: those of several characters are not made. */
function mapped(text: string, map: (character: string) => string): string {
  let result = ''
  for (const character of text) result += map(character)
  return result
}

const IOTA_UPPER: Readonly<Record<string, string>> = { ß: 'ẞ', ᾳ: 'ᾼ', ῃ: 'ῌ', ῳ: 'ῼ' }

function upperOf(character: string): string {
  const upper = character.toUpperCase()
  if (upper.length === character.length) return upper
  const code = character.codePointAt(0)!
  if (code >= 0x1f80 && code <= 0x1faf) return code & 8 ? character : String.fromCodePoint(code + 8)
  return IOTA_UPPER[character] ?? character
}

function lowerOf(character: string): string {
  const lower = character.toLowerCase()
  return character === 'İ' ? 'i' : lower
}

export const lower = (text: string): string => (isAscii(text) ? text.toLowerCase() : mapped(text, lowerOf))
export const upper = (text: string): string => (isAscii(text) ? text.toUpperCase() : mapped(text, upperOf))

/** Spaces of Unicode's category Zs; no tabs or line ends. */
export const ltrim = (text: string): string => text.replace(/^\p{Zs}+/u, '')
export const rtrim = (text: string): string => text.replace(/\p{Zs}+$/u, '')
export const trim = (text: string): string => rtrim(ltrim(text))

export const replace = (text: string, from: string, to: string): string => (from === '' ? text : text.replaceAll(from, () => to))

export function length(text: string): number {
  let count = text.length
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--
  return count
}

export const byteLength = (text: string): number => Buffer.byteLength(text)

/** Counted from 1; 0 when it is not there. */
export function position(text: string, wanted: string): number {
  const at = text.indexOf(wanted)
  return at < 0 ? 0 : length(text.slice(0, at)) + 1
}

/** From `from`, counted from 1, or from the end when negative; a negative size goes backwards. */
export function substring(text: string, from: number, size?: number): string {
  const of = points(text)
  const start = from > 0 ? from - 1 : from < 0 ? of.length + from : -1
  if (size === undefined) return cut(of, start, of.length)
  if (size < 0) return cut(of, start + size, start)
  return cut(of, start, start + size)
}

export function left(text: string, size: number): string {
  const of = points(text)
  return cut(of, 0, size >= 0 ? size : of.length + size)
}

export function right(text: string, size: number): string {
  const of = points(text)
  return cut(of, size >= 0 ? of.length - size : -size, of.length)
}

/** Longest text that repeat makes. */
const REPEAT_MAX = 1 << 24

export function repeat(text: string, times: number): string {
  if (times <= 0 || text === '') return ''
  if (text.length * times > REPEAT_MAX) throw new RangeError('repeat makes a text of more than 16 MiB')
  return text.repeat(times)
}

function padding(size: number, by: string): string {
  const of = points(by)
  let result = ''
  for (let i = 0; i < size; i++) result += of[i % of.length]
  return result
}

export function lpad(text: string, size: number, by: string): string {
  const of = points(text)
  return size <= of.length ? cut(of, 0, size) : padding(size - of.length, by) + text
}

export function rpad(text: string, size: number, by: string): string {
  const of = points(text)
  return size <= of.length ? cut(of, 0, size) : text + padding(size - of.length, by)
}

/** Counted from 1, from the end when negative; empty where there is none. */
export function splitPart(text: string, by: string, index: number): string {
  if (by !== '' && index > 0) return partFrom(text, by, index)
  const parts = by === '' ? [...text] : text.split(by)
  return (index > 0 ? parts[index - 1] : parts[parts.length + index]) ?? ''
}

function partFrom(text: string, by: string, index: number): string {
  let from = 0
  for (let i = 1; i < index; i++) {
    const at = text.indexOf(by, from)
    if (at < 0) return ''
    from = at + by.length
  }
  const until = text.indexOf(by, from)
  return until < 0 ? text.slice(from) : text.slice(from, until)
}

export { hasPart, splitRange } from './text-ranges.ts'
export const jsonText = jsonAt
