// What `millrace doctor` says of encryption: whether the data keys of a directory open with the master keys that this environment
// gives, as a start would have them, and which master keys are of before. Reads only; a server may use the directory. No key is shown.
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { asMillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { type KeyEntry, openKeyRing } from '../objects/seal/key-ring.ts'
import type { MasterKeys } from '../objects/seal/master-key.ts'
import { keysFile } from './data-directory.ts'
import { readMasterKeys } from './master-keys.ts'

export interface KeysDiagnosis {
  readonly state: 'ok' | 'warn' | 'bad'
  readonly detail: string
  readonly fix?: string
}

/** `encrypted`: relations that the project defines so. Null when there are none and no data keys either. */
export async function diagnoseKeys(
  data: string,
  encrypted: ReadonlySet<string>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<KeysDiagnosis | null> {
  try {
    const parts = { disk: nodeDisk, clock: systemClock, random: systemRandom, path: keysFile(data) }
    const { entries } = await openKeyRing({ ...parts, masters: null })
    if (entries.length === 0 && encrypted.size === 0) return null
    const masters = readMasterKeys(environment)
    if (masters) await openKeyRing({ ...parts, masters })
    return diagnosisOf(entries, encrypted, masters)
  } catch (cause) {
    const { message, fix } = asMillraceError(cause)
    return { state: 'bad', detail: message, ...(fix ? { fix } : {}) }
  }
}

/** Pure: of keys that open. */
export function diagnosisOf(entries: readonly KeyEntry[], encrypted: ReadonlySet<string>, masters: MasterKeys | null): KeysDiagnosis {
  const scopes = new Set([...entries.map(({ scope }) => scope), ...encrypted])
  const what = `${entries.length} data keys of ${scopes.size} encrypted relations`
  const wrapping = [...new Set(entries.map(({ master }) => master))]
  if (!masters)
    return {
      state: 'bad',
      detail: `${what}, and no master key here${wrapping.length > 0 ? `: ${wrapping.join(', ')} wraps them` : ''}`,
      fix: 'set MILLRACE_KEY_FILE to the key file; the first is made with `millrace keys create <file>`',
    }
  const lost = wrapping.filter((id) => !masters.some((master) => master.id === id))
  if (lost.length > 0)
    return {
      state: 'bad',
      detail: `${what}; the master key ${lost.join(', ')} is not here, so that what it wraps cannot be read`,
      fix: 'put its line back into the key file',
    }
  const before = wrapping.filter((id) => id !== masters[0].id)
  if (before.length > 0)
    return {
      state: 'warn',
      detail: `${what}; ${before.join(', ')} of before still wraps some`,
      fix: 'stop the server and run `millrace keys rotate`',
    }
  const idle = masters.slice(1).map(({ id }) => id)
  if (entries.length > 0 && idle.length > 0)
    return { state: 'warn', detail: `${what}; ${idle.join(', ')} wraps nothing any more`, fix: 'take its line out of the key file' }
  return { state: 'ok', detail: `${what}, wrapped by ${masters[0].id}` }
}
