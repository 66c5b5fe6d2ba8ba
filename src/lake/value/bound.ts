// Column bounds of a data file, from the minimum and maximum that DuckDB reports as text. A bound may be wider than the
// data, never narrower: pruning by it must not drop a row.
import { parseIcebergType } from './iceberg-type.ts'
import { encodeValue } from './single-value.ts'
import { valueFromText } from './text-value.ts'

/** Code points of a string bound, bytes of a binary one (Iceberg's default `truncate(16)` metrics). */
const TRUNCATE = 16

/**
 * The binary bound of a column of Iceberg type `typeText` from DuckDB's text of its minimum ('lower') or maximum ('upper').
 * Undefined when there is no sound bound: not a finite date, or a string of U+10FFFF. Do not call it when the column has NaN.
 */
export function encodeBound(typeText: string, text: string, side: 'lower' | 'upper'): Uint8Array | undefined {
  const { kind } = parseIcebergType(typeText)
  if (kind === 'string') return stringBound(text, side)
  const value = valueFromText(typeText, text)
  if (value === undefined) return undefined
  if (kind === 'binary' || kind === 'fixed') return bytesBound(Buffer.from(String(value), 'hex'), side)
  if (kind === 'float') return encodeValue(typeText, signedZero(floatBound(Number(value), side), side))
  if (kind === 'double') return encodeValue(typeText, signedZero(Number(value), side))
  return encodeValue(typeText, value)
}

function stringBound(text: string, side: 'lower' | 'upper'): Uint8Array | undefined {
  const points = Array.from(text, (char) => char.codePointAt(0)!)
  if (points.length <= TRUNCATE) return Buffer.from(text)
  points.length = TRUNCATE
  if (side === 'lower') return Buffer.from(String.fromCodePoint(...points))
  // The least string above all that begin so: the last code point that can grow does, surrogates are no code points.
  for (let i = TRUNCATE - 1; i >= 0; i--) {
    const point = points[i]!
    if (point === 0x10ffff) continue
    const next = point + 1 >= 0xd800 && point + 1 <= 0xdfff ? 0xe000 : point + 1
    return Buffer.from(String.fromCodePoint(...points.slice(0, i), next))
  }
  return undefined
}

function bytesBound(bytes: Buffer, side: 'lower' | 'upper'): Uint8Array | undefined {
  if (bytes.length <= TRUNCATE) return bytes
  const head = Buffer.from(bytes.subarray(0, TRUNCATE))
  if (side === 'lower') return head
  for (let i = TRUNCATE - 1; i >= 0; i--) {
    if (head[i] === 0xff) continue
    head[i]!++
    return head.subarray(0, i + 1)
  }
  return undefined
}

// The sign of zero is lost in text and engines differ on whether -0 < 0: take the wider.
const signedZero = (value: number, side: 'lower' | 'upper'): number => (value === 0 ? (side === 'lower' ? -0 : 0) : value)

/**
 * The float that DuckDB printed. Rounding its decimal text to double and then to float can miss by one step when the
 * double falls exactly between two floats (7.038531e-26 is such a text); then the outer of the two is taken.
 */
function floatBound(value: number, side: 'lower' | 'upper'): number {
  const float = Math.fround(value)
  if (float === value || !Number.isFinite(value)) return float
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, value)
  if ((bits.getUint32(4) & 0x1fffffff) !== 0x10000000) return float
  const isOuter = side === 'lower' ? float < value : float > value
  return isOuter ? float : nextFloat(float, side)
}

function nextFloat(float: number, side: 'lower' | 'upper'): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, float)
  const away = float > 0 === (side === 'upper')
  view.setInt32(0, view.getInt32(0) + (away ? 1 : -1))
  return view.getFloat32(0)
}
