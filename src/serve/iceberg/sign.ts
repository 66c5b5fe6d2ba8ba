// Signing for clients that read and write the files of a table in an object store themselves: a request is signed when it is
// about a place below the table's location and the caller may have the table's files; writing takes what a commit takes.
import { MillraceError } from '../../core/errors.ts'
import { mustCommit } from '../../govern/outside.ts'
import { isBelow, toPath } from '../../lake/location.ts'
import type { AskedRequest } from '../../objects/request-signer.ts'
import { nameOf } from '../../store/identifier.ts'
import { SIGN_PATH } from './access.ts'
import { badRequest, type Handler, type Route, target } from './call.ts'
import { loadable } from './tables.ts'

const signFor: Handler = async (parts, call) => {
  const { location } = await loadable(parts, call)
  const asked = readAsked(call.body)
  const table = await parts.lake.metadata({ metadataLocation: location })
  const place = parts.signer?.placeOf(asked)
  if (!place || !isBelow(place.path, toPath(table.location)))
    throw new MillraceError('MR_ACCESS_DENIED', `${asked.method} ${asked.uri.split('?')[0]} is not about a file of the table`, {
      fix: `ask for files below ${table.location}`,
    })
  if (place.isWrite) mustCommit(parts.manifest(), call.caller, nameOf(target(call)), ['add-snapshot'])
  return { status: 200, text: JSON.stringify(await parts.signer!.sign(asked)), headers: { 'cache-control': 'private' } }
}

function readAsked(body: Readonly<Record<string, unknown>>): AskedRequest {
  const { method, uri, headers } = body
  const isList = (values: unknown): boolean => Array.isArray(values) && values.every((value) => typeof value === 'string')
  const areHeaders = typeof headers === 'object' && headers !== null && Object.values(headers).every(isList)
  if (typeof method !== 'string' || typeof uri !== 'string' || !areHeaders)
    throw badRequest('a request to sign has a method, a uri and headers')
  return { method: method.toUpperCase(), uri, headers: headers as AskedRequest['headers'] }
}

export const SIGN_ROUTES: readonly Route[] = [{ method: 'POST', path: SIGN_PATH, handle: signFor, isReport: true }]
