// Credentials of an object store for clients of the catalog: short-lived, and good for the files of one table only. The store
// itself holds clients to that, not we: a vendor that cannot have it so limited hands out none. Who may have them is decided by
// the caller of this.
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'

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
  /** Whether the store lets credentials of this vendor read an object. @throws MR_OBJECT_BUSY */
  reads(vended: Vended, path: string): Promise<boolean>
}

/** What a store answers to a reader: whether it refuses the credentials. */
export const isAllowed = (read: Promise<unknown>): Promise<boolean> =>
  read.then(
    () => true,
    (error: unknown) => {
      if (error instanceof MillraceError && error.code === 'MR_OBJECT_DENIED') return false
      throw error
    },
  )

/**
 * The same, once the store has been seen to hold credentials to their directory: the first ones are tried on an object that is
 * there and belongs to no table. A token service that ignores policies gives credentials for everything, and no error.
 * `vend` @throws MR_OBJECT_STORE when they reach it.
 */
export function provenVendor(vendor: CredentialVendor, outside: string): CredentialVendor {
  let isProven = false
  return {
    ...vendor,
    async vend(request) {
      const vended = await vendor.vend(request)
      if (!vended || isProven) return vended
      if (await vendor.reads(vended, outside))
        throw new MillraceError(
          'MR_OBJECT_STORE',
          `credentials for ${request.directory} reach ${outside} too: the store does not hold them to the table`,
          {
            fix: 'leave `vend` out of the lake of the environment: this store has no credentials for single tables',
          },
        )
      isProven = true
      return vended
    },
  }
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
