// Credentials of Azure Blob Storage for the files of one table: a shared access signature for its directory. Only accounts with a
// hierarchical namespace have directories to hold a client to; in any other the container is the least that can be opened, and so none
// is given. https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
import { MillraceError } from '../../core/errors.ts'
import { type CredentialVendor, isAllowed, VENDED_SECONDS } from '../credential-vendor.ts'
import { element, encodeQuery, type HttpParts, send } from '../http.ts'
import { type AzureOptions, openAzure } from './azure-store.ts'
import { azureRequest } from './request.ts'
import { type DelegationKey, directorySas } from './sign.ts'

const SKEW_MS = 300_000

export function openAzureVendor(parts: HttpParts, store: AzureOptions): CredentialVendor {
  const { account, container, prefix, authorization } = store
  const host = `${account}.dfs.core.windows.net`
  const root = `${store.endpoint.replace(/\/$/, '')}/`
  let isHierarchical: Promise<boolean> | null = null

  async function askHierarchical(): Promise<boolean> {
    const query = { restype: 'account', comp: 'properties' }
    const reply = await send(parts, `the account "${account}"`, () => azureRequest(parts.clock, store, { method: 'GET', url: root, query }))
    if (reply.status !== 200) throw refused(account, reply.status, reply.headers.get('x-ms-error-code') ?? '')
    return reply.headers.get('x-ms-is-hns-enabled') === 'true'
  }

  async function mustBeHierarchical(): Promise<void> {
    isHierarchical ??= askHierarchical().catch((error: unknown) => {
      isHierarchical = null
      throw error
    })
    if (await isHierarchical) return
    throw new MillraceError(
      'MR_OBJECT_STORE',
      `the account "${account}" has no hierarchical namespace: no credentials can be held to one table`,
      {
        fix: 'leave `vend` out, or move the lake to an account with a hierarchical namespace',
      },
    )
  }

  async function delegatedKey(endsMs: number): Promise<DelegationKey> {
    // Clocks differ: what begins now may not have begun there.
    const [start, expiry] = [parts.clock.nowMs() - SKEW_MS, endsMs].map((ms) => new Date(ms).toISOString().replace(/\.\d{3}/, ''))
    const body = `<?xml version="1.0" encoding="utf-8"?><KeyInfo><Start>${start}</Start><Expiry>${expiry}</Expiry></KeyInfo>`
    const query = { restype: 'service', comp: 'userdelegationkey' }
    const reply = await send(parts, `the account "${account}"`, () =>
      azureRequest(parts.clock, store, { method: 'POST', url: root, query, body }),
    )
    const text = reply.body.toString('utf8')
    const value = element(text, 'Value')
    if (reply.status !== 200 || !value)
      throw refused(account, reply.status, reply.headers.get('x-ms-error-code') ?? element(text, 'Code') ?? '')
    const of = (name: string): string => element(text, name) ?? ''
    return {
      skoid: of('SignedOid'),
      sktid: of('SignedTid'),
      skt: of('SignedStart'),
      ske: of('SignedExpiry'),
      sks: of('SignedService'),
      skv: of('SignedVersion'),
      value,
    }
  }

  return {
    prefix,
    properties: { 'adls.account-name': account },
    refreshProperty: 'adls.refresh-credentials-endpoint',
    async vend({ directory, isWrite }) {
      if (authorization.kind === 'sas')
        throw new MillraceError('MR_OBJECT_STORE', 'a shared access signature cannot make others: there are no credentials for clients', {
          fix: 'give the account’s key or an identity to the lake, or leave `vend` out',
        })
      await mustBeHierarchical()
      // In whole seconds, as the signature has it.
      const endsMs = (Math.floor(parts.clock.nowMs() / 1_000) + VENDED_SECONDS) * 1_000
      const key = authorization.kind === 'key' ? authorization.key : await delegatedKey(endsMs)
      const permissions = isWrite ? 'racwdl' : 'rl'
      const sas = encodeQuery(directorySas({ account, container, directory: directory.slice(prefix.length), permissions, endsMs, key }))
      // Clients look for it under the name of the account, of its host, or under none.
      const names = [`.${account}`, `.${host}`]
      return {
        properties: {
          'adls.sas-token': sas,
          ...Object.fromEntries(names.map((name) => [`adls.sas-token${name}`, sas])),
          ...Object.fromEntries(names.map((name) => [`adls.sas-token-expires-at-ms${name}`, String(endsMs)])),
        },
        endsMs,
      }
    },
    reads({ properties }, path) {
      const query = Object.fromEntries(new URLSearchParams(properties['adls.sas-token']))
      return isAllowed(openAzure(parts, { ...store, authorization: { kind: 'sas', query } }).stat(path))
    },
  }
}

const refused = (account: string, status: number, code: string): MillraceError =>
  new MillraceError('MR_OBJECT_DENIED', `the account "${account}" refuses to make credentials for clients: ${status} ${code}`.trim(), {
    fix: 'give the identity the right to generate a user delegation key (Storage Blob Delegator)',
  })
