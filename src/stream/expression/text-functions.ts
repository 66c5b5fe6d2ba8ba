// Text functions with DuckDB's semantics over JavaScript strings, for what bytes alone do not give: case is mapped one code point
// at a time, JSON comes out as DuckDB prints it. Pure functions; they are called by generated code.
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

export { checkJson, jsonAt } from './json-path.ts'
