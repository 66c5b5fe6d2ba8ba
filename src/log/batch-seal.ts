// Batches of an encrypted topic: their lines are sealed before they are written, under a key of the partition that is made anew
// whenever the partition is opened, so that no counter is ever used twice. What stands in front of the lines stays readable, for
// recovery needs no key; idempotency keys are in there only as keyed hashes. Which topics are encrypted is told from outside.
import { createHmac } from 'node:crypto'
import { systemRandom } from '../core/random.ts'
import type { DataKey } from '../objects/seal/key-ring.ts'
import { damaged, decrypt, deriveKey, encrypt } from '../objects/seal/sealed.ts'
import type { Append, RecordKind } from './log.ts'
import type { LogKeys } from './settings.ts'

/** In a batch's label: data key id and salt in base64, and the batch's number under that salt. */
export type SealLabel = readonly [id: string, salt: string, number: number]

/** What is bound to the lines: a batch that is copied elsewhere does not open. */
interface Place {
  readonly baseOffset: number
  readonly count: number
  readonly kind: RecordKind
}

const SALT_BYTES = 16
const OPENED_MAX = 64

export class BatchSeal {
  readonly #ring: LogKeys
  readonly #topic: string
  /** `topic/partition`. */
  readonly #name: string
  #own: { readonly id: string; readonly salt: Uint8Array; readonly key: Buffer; next: number } | undefined
  readonly #opened = new Map<string, Buffer>()

  constructor(ring: LogKeys, topic: string, partition: number) {
    this.#ring = ring
    this.#topic = topic
    this.#name = `${topic}/${partition}`
  }

  /** Before `seal`. @throws MR_KEY_MISSING */
  async begin(): Promise<void> {
    if (this.#own) return
    const data = await this.#ring.forWriting(this.#topic)
    const salt = systemRandom.bytes(SALT_BYTES)
    this.#own = { id: data.id.toString('base64'), salt, key: this.#keyOf(data, salt), next: 0 }
  }

  seal(place: Place, lines: readonly Uint8Array[]): { readonly label: SealLabel; readonly lines: readonly Uint8Array[] } {
    const own = this.#own!
    const number = own.next++
    return {
      label: [own.id, Buffer.from(own.salt).toString('base64'), number],
      lines: encrypt(own.key, nonceOf(number), aboutOf(this.#name, place), lines.length === 1 ? lines[0]! : Buffer.concat(lines)),
    }
  }

  /** @throws MR_SEAL_DAMAGED naming partition and offset, MR_KEY_UNKNOWN */
  open(label: SealLabel | undefined, place: Place, bytes: Uint8Array): Buffer {
    const what = `${this.#name} at offset ${place.baseOffset}`
    if (!label) throw damaged(what, 'is not encrypted, and all of this topic is')
    const [id, salt, number] = label
    const known = this.#opened.get(salt)
    const key = known ?? this.#keyOf(this.#ring.byId(Buffer.from(id, 'base64'), what), Buffer.from(salt, 'base64'))
    if (!known && this.#opened.size >= OPENED_MAX) this.#opened.clear()
    this.#opened.set(salt, key)
    return decrypt(key, nonceOf(number), aboutOf(this.#name, place), bytes, what)[0]!
  }

  #keyOf = (data: DataKey, salt: Uint8Array): Buffer => deriveKey(data, salt, `millrace log ${this.#name}`)
}

const aboutOf = (name: string, { baseOffset, count, kind }: Place): Buffer => Buffer.from(`${name} ${baseOffset} ${count} ${kind}`)

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(number), 4)
  return nonce
}

/** The append with hashes in place of what a client chose and of what could confirm a guess at the rows. */
export function hideIdempotency(append: Append, first: DataKey): Append {
  if (!append.idempotency) return append
  const { key, hash } = append.idempotency
  const hidden = (what: string, text: string): string =>
    createHmac('sha256', first.secret).update(`millrace idempotency ${what} ${text}`).digest('base64url')
  return { ...append, idempotency: { key: hidden('key', key), hash: hidden('body', hash), given: key } }
}
