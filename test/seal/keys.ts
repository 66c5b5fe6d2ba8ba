// A ring of data keys in a directory, under a master key that goes with the process, and what the disk shows of a marker.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import { type KeyRing, openKeyRing } from '../../src/objects/seal/key-ring.ts'
import { type MasterKeys, newMasterKeyLine, parseMasterKeys } from '../../src/objects/seal/master-key.ts'

export const MASTERS = parseMasterKeys(newMasterKeyLine('test', systemRandom), 'test', systemRandom)

export const openTestRing = (directory: string, masters: MasterKeys | null = MASTERS): Promise<KeyRing> =>
  openKeyRing({ disk: nodeDisk, clock: systemClock, random: systemRandom, path: join(directory, 'keys.json'), masters })

export const filesBelow = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())

/** Names of files and directories that hold one of the texts, or have it in their name. */
export function showing(directory: string, texts: readonly string[]): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => texts.some((text) => name.includes(text)))
  const wanted = texts.flatMap((text) => [Buffer.from(text), Buffer.from(text, 'utf16le')])
  const files = filesBelow(directory).filter((path) => {
    const bytes = readFileSync(path)
    return wanted.some((bytesOf) => bytes.includes(bytesOf))
  })
  return [...names, ...files]
}
