// Spilled state as files of one directory of this process: scratch, removed when it is opened. Reading waits: it happens in the
// thread of a processor, between two calls of its code, which could do nothing else.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Spill } from '../stream/state/spill.ts'

export function diskSpill(directory: string): Spill {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const pathOf = (name: string): string => join(directory, name.replaceAll('/', '.'))
  return {
    write: (name, content) => writeFileSync(pathOf(name), zstdCompressSync(content)),
    read: (name) => zstdDecompressSync(readFileSync(pathOf(name))),
    remove: (name) => rmSync(pathOf(name), { force: true }),
  }
}
