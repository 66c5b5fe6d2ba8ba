// Where master keys come from: a file that only its owner may read, or the environment. Read once, at the start; without either,
// nothing can be encrypted and nothing encrypted be read.
import { readFileSync, statSync } from 'node:fs'
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { kmsKey, kmsRegion } from '../objects/amazon/kms-key.ts'
import { type MasterKeys, type OpenMasterKey, parseMasterKeys } from '../objects/seal/master-key.ts'

const FILE = 'MILLRACE_KEY_FILE'
const TEXT = 'MILLRACE_KEYS'
const OTHERS = 0o077

/** Null when the environment names none. @throws MR_KEY_FILE */
export function readMasterKeys(environment: Readonly<Record<string, string | undefined>>): MasterKeys | null {
  const [path, text] = [environment[FILE] ?? '', environment[TEXT] ?? '']
  if (path !== '' && text !== '') throw new MillraceError('MR_KEY_FILE', `${FILE} and ${TEXT} are both set`, { fix: 'keep one of them' })
  if (text !== '') return parseMasterKeys(text, TEXT, systemRandom, kmsOf(environment))
  return path === '' ? null : parseMasterKeys(readKeyFile(path), path, systemRandom, kmsOf(environment))
}

/** Keys of Amazon's service, by their ARN. */
const kmsOf =
  (environment: Readonly<Record<string, string | undefined>>): OpenMasterKey =>
  (id, arn) =>
    kmsRegion(arn) === undefined ? undefined : kmsKey({ clock: systemClock, random: systemRandom, disk: nodeDisk, environment }, id, arn)

/** @throws MR_KEY_FILE when it is missing or others may read it. */
export function readKeyFile(path: string): string {
  try {
    const { mode } = statSync(path)
    // Windows has no such bits.
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
      throw new MillraceError('MR_KEY_FILE', `${path} may be read by others (mode ${(mode & 0o777).toString(8)})`, {
        fix: `chmod 600 ${path}`,
      })
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    throw new MillraceError('MR_KEY_FILE', `the key file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      fix: 'make one with `millrace keys create <file>`, or correct MILLRACE_KEY_FILE',
    })
  }
}
