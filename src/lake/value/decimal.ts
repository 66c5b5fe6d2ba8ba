// Decimals as unscaled integers: from text, and as Iceberg stores them (big-endian two's complement, fewest bytes).

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/

/** Text as `unscaled` * 10^-`scale`, exactly; undefined when it is not a number. */
export function parseDecimal(text: string): { unscaled: bigint; scale: number } | undefined {
  const match = NUMBER.exec(text)
  const digits = match && `${match[2] ?? ''}${match[3] ?? ''}`
  if (!digits) return undefined
  const unscaled = BigInt(digits) * (match[1] === '-' ? -1n : 1n)
  const scale = (match[3] ?? '').length - Number(match[4] ?? 0)
  return scale >= 0 ? { unscaled, scale } : { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 }
}

/** Text at exactly `scale` digits; undefined when it has more. */
export function unscaledOf(text: string, scale: number): bigint | undefined {
  const number = parseDecimal(text)
  if (!number) return undefined
  if (number.scale <= scale) return number.unscaled * 10n ** BigInt(scale - number.scale)
  const by = 10n ** BigInt(number.scale - scale)
  return number.unscaled % by === 0n ? number.unscaled / by : undefined
}

/** Two's complement, most significant byte first, in as few bytes as hold the sign, or in exactly `size` bytes. */
export function decimalBytes(unscaled: bigint, size?: number): Uint8Array {
  let count = size ?? 1
  if (size === undefined) while (BigInt.asIntN(8 * count, unscaled) !== unscaled) count++
  const bytes = new Uint8Array(count)
  for (let i = count - 1, rest = unscaled; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

export function decimalFromBytes(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(8 * bytes.length, value)
}

/** Bytes of Avro's `fixed` for a precision (Iceberg spec, appendix A): the fewest that hold every value. */
export function decimalSize(precision: number): number {
  const most = 10n ** BigInt(precision) - 1n
  return decimalBytes(most).length
}
