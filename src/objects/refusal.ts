// Answers of object stores that are refusals, as errors: which object, what the store said, and what to do about it.
import { MillraceError } from '../core/errors.ts'

export interface Refused {
  readonly path: string
  /** Bucket, container or file system, as messages call it: `bucket "lake"`. */
  readonly place: string
  readonly status: number
  /** The store's own code and words. */
  readonly code: string
  readonly message: string
  /** Where its credentials come from. */
  readonly credentials: string
}

const NO_PLACE = new Set(['NoSuchBucket', 'ContainerNotFound', 'notFoundBucket', 'ResourceNotFoundBucket'])

export function refusal({ path, place, status, code, message, credentials }: Refused): MillraceError {
  const said = `${status}${code ? ` ${code}` : ''}${message ? `: ${message}` : ''}`
  if (NO_PLACE.has(code))
    return new MillraceError('MR_OBJECT_BUCKET', `${place} does not exist (${path}; the store said ${said})`, {
      fix: 'create it, or correct its name in the lake of the environment',
    })
  if (status === 401 || status === 403)
    return new MillraceError('MR_OBJECT_DENIED', `${path}: the store refused the credentials of ${credentials} (${said})`, {
      fix: `give them the right to read, write, list and delete in ${place}, or set others`,
    })
  if (status === 404) return new MillraceError('MR_OBJECT_MISSING', `${path} is missing`, { fix: 'restore it from a backup' })
  if (status === 409 || status === 412) return new MillraceError('MR_OBJECT_EXISTS', `${path} exists already (${said})`)
  return new MillraceError('MR_OBJECT_STORE', `${path}: the store answered ${said}`, { fix: `check the settings of ${place}` })
}
