// Text functions with DuckDB's semantics over JavaScript strings, for what bytes alone do not give: case is mapped one code point
// at a time, widths count code points, JSON text comes out as DuckDB prints it. Pure functions; they are called by generated code.
import { jsonAt } from './json-path.ts'

const isPlain = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0xd800) return false
  return true
}

/** Code points, or the string itself where each character is one. */
const points = (text: string): string | string[] => (isPlain(text) ? text : [...text])

const firstOf = (points: string | string[], size: number): string => {
  const part = points.slice(0, Math.max(0, size))
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

/** İ becomes two characters, and Σ depends on where it stands. */
export const lower = (text: string): string => (/[İΣ]/.test(text) ? mapped(text, lowerOf) : text.toLowerCase())

/** Mappings to several characters make the text longer. */
export function upper(text: string): string {
  const whole = text.toUpperCase()
  return whole.length === text.length ? whole : mapped(text, upperOf)
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
  return size <= of.length ? firstOf(of, size) : padding(size - of.length, by) + text
}

export function rpad(text: string, size: number, by: string): string {
  const of = points(text)
  return size <= of.length ? firstOf(of, size) : text + padding(size - of.length, by)
}

export const jsonText = jsonAt
