// Sizes as users write them: `'512 MiB'`. A template-literal type catches a misspelling before anything runs.
import { MillraceError } from './errors.ts'

type Unit = 'KiB' | 'MiB' | 'GiB'

export type Size = `${number} ${Unit}`

const UNIT_BYTES: Record<Unit, number> = { KiB: 1 << 10, MiB: 1 << 20, GiB: 1 << 30 }

/** Bytes of a size. @throws MR_SIZE when it is malformed or nothing. */
export function sizeBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) (KiB|MiB|GiB)$/.exec(text)
  const bytes = match ? Math.floor(Number(match[1]) * UNIT_BYTES[match[2] as Unit]) : 0
  if (bytes > 0) return bytes
  throw new MillraceError('MR_SIZE', `"${text}" is not a size`, { fix: "write it like '512 MiB' or '2 GiB'" })
}
