// Credentials of an object store for clients of the catalog: short-lived, and good for the files of one table only. The store
// itself holds clients to that, not we: a vendor that cannot have it so limited hands out none. Who may have them is decided by
// the caller of this.
import type { Clock } from '../core/clock.ts'

/** What the credentials are for. */
export interface VendRequest {
  /** Below which they reach files: a table's location, without a slash at its end. */
  readonly directory: string
  /** Whether they also write and remove. */
  readonly isWrite: boolean
  /** Who asks: for the store's own trail. */
  readonly user: string
}

export interface Vended {
  /** By Iceberg's names of properties, the secrets among them. */
  readonly properties: Readonly<Record<string, string>>
  readonly endsMs: number
}

export interface CredentialVendor {
  /** What the URIs that it serves begin with. */
  readonly prefix: string
  /** What a client must know of the store besides, by Iceberg's names of properties. */
  readonly properties: Readonly<Record<string, string>>
  /** Where clients of the store's kind ask for the next ones: the property by which they are told. */
  readonly refreshProperty: string
  /**
   * Undefined for a directory to which the store cannot limit them.
   * @throws MR_OBJECT_DENIED, MR_OBJECT_BUSY when the store gives none.
   */
  vend(request: VendRequest): Promise<Vended | undefined>
}

/** For how long credentials are good. */
export const VENDED_SECONDS = 900
/** Those with less left are not handed out again: clients fetch new ones five minutes before the end, or never. */
const LEFT_MS = 600_000

/** The same, with what it gave kept for the same request as long as enough is left of it. */
export function keptVendor(clock: Clock, vendor: CredentialVendor): CredentialVendor {
  const kept = new Map<string, { vended: Promise<Vended | undefined>; endsMs: number }>()
  return {
    ...vendor,
    async vend(request) {
      const nowMs = clock.nowMs()
      for (const [key, { endsMs }] of kept) if (endsMs - LEFT_MS <= nowMs) kept.delete(key)
      const key = JSON.stringify([request.directory, request.isWrite, request.user])
      const known = kept.get(key)
      if (known) return known.vended
      const vended = vendor.vend(request)
      const entry = { vended, endsMs: nowMs + VENDED_SECONDS * 1_000 }
      kept.set(key, entry)
      try {
        const found = await vended
        if (found) entry.endsMs = found.endsMs
        return found
      } catch (error) {
        if (kept.get(key) === entry) kept.delete(key)
        throw error
      }
    },
  }
}
