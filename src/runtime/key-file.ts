// Files of master keys and the ring of a data directory, for commands: a new key in front of those that are there, what the data keys
// are, and turning the master key while no server runs. Nothing here prints a key.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { kmsRegion } from '../objects/amazon/kms-key.ts'
import { type KeyEntry, type KeyRing, openKeyRing } from '../objects/seal/key-ring.ts'
import { type MasterKey, newMasterKeyLine, type OpenMasterKey, parseMasterKeys } from '../objects/seal/master-key.ts'
import { keysFile, takeDataDirectory } from './data-directory.ts'
import { readKeyFile, readMasterKeys } from './master-keys.ts'

/** Lines of services are kept as they are. */
const anyService: OpenMasterKey = (id, arn) => (kmsRegion(arn) === undefined ? undefined : ({ id } as MasterKey))

/** Puts a new key first; the others stay. Answers its name. @throws MR_KEY_FILE */
export function addMasterKey(path: string): string {
  const before = existsSync(path) ? readKeyFile(path) : ''
  if (before !== '') parseMasterKeys(before, path, systemRandom, anyService)
  const day = new Date(systemClock.nowMs()).toISOString().slice(0, 10).replaceAll('-', '')
  const id = `key-${day}-${Buffer.from(systemRandom.bytes(4)).toString('hex')}`
  try {
    rmSync(`${path}.new`, { force: true })
    writeFileSync(`${path}.new`, `${newMasterKeyLine(id, systemRandom)}\n${before}`, { mode: 0o600, flag: 'wx', flush: true })
    renameSync(`${path}.new`, path)
  } catch (cause) {
    throw new MillraceError('MR_KEY_FILE', `${path} cannot be written: ${(cause as Error).message}`, {
      cause,
      fix: 'name a file that you may write',
    })
  }
  return id
}

/** What the data keys are, without opening one; a server may use the directory. @throws MR_KEY_FILE */
export async function keyEntries(data: string): Promise<readonly KeyEntry[]> {
  const ring = await openKeyRing({ disk: nodeDisk, clock: systemClock, random: systemRandom, path: keysFile(data), masters: null })
  return ring.entries
}

/** The ring of a directory that no server uses meanwhile. @throws MR_DATA_LOCKED, MR_KEY_FILE, MR_SEAL_DAMAGED */
export async function withKeyRing<T>(data: string, action: (ring: KeyRing) => Promise<T>): Promise<T> {
  const directory = takeDataDirectory(data)
  try {
    const masters = readMasterKeys(process.env)
    return await action(await openKeyRing({ disk: nodeDisk, clock: systemClock, random: systemRandom, path: directory.keys, masters }))
  } finally {
    directory.release()
  }
}
