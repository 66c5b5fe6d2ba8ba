// What a loaded table tells its client about reaching the files: where the store is, and where to have requests signed.
import { identifierOf } from '../../store/identifier.ts'
import type { IcebergParts } from './call.ts'

export const SIGN_PATH = '/v1/namespaces/{namespace}/tables/{table}/sign'

/** What a client must know to reach the files of a table. */
export function accessOf({ signer }: IcebergParts, name: string, location: string): Readonly<Record<string, string>> {
  if (!signer || !location.startsWith(signer.prefix)) return {}
  const { namespace, name: last } = identifierOf(name)
  const at = SIGN_PATH.replace('{namespace}', namespace.map(encodeURIComponent).join('%1F')).replace('{table}', encodeURIComponent(last))
  return { ...signer.properties, 's3.signer.endpoint': at.slice(1) }
}
