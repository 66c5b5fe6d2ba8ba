// The data keys of a process, known in the log's thread: those of the start are given, others are asked for. Who makes keys is the
// process alone.
import { type DataKey, type KeyRing, unknownKey } from '../../objects/seal/key-ring.ts'
import type { LogKeys } from '../settings.ts'
import type { KnownKey } from './messages.ts'

/** What the thread is given of a key ring. */
export const knownKeys = (keys: KeyRing): readonly KnownKey[] =>
  keys.entries.map(({ id, master }) => {
    try {
      const { secret, scope } = keys.byId(Buffer.from(id, 'hex'), id)
      return { id, secret, scope }
    } catch {
      return { id, master } // whoever needs it is told
    }
  })

/** `ask`: the process's key ring. */
export function logKeys(known: readonly KnownKey[], ask: (which: 'forWriting' | 'first', scope: string) => Promise<DataKey>): LogKeys {
  const byId = new Map(known.map((key) => [key.id, key]))
  const asked = async (which: 'forWriting' | 'first', scope: string): Promise<DataKey> => {
    const key = await ask(which, scope)
    const id = key.id.toString('hex')
    byId.set(id, { id, secret: key.secret, scope: key.scope })
    return key
  }
  return {
    forWriting: (scope) => asked('forWriting', scope),
    first: (scope) => asked('first', scope),
    byId(id, what) {
      const hex = Buffer.from(id).toString('hex')
      const key = byId.get(hex)
      if (!key || 'master' in key) throw unknownKey(what, hex, key?.master)
      return { id: Buffer.from(id), secret: Buffer.from(key.secret), scope: key.scope }
    },
  }
}
