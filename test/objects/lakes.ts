// The object stores that a lake may lie in, each a real server with an empty place in it, for tests of the program.
import assert from 'node:assert/strict'
import { type AzureServer, startAzurite } from '../../scripts/servers/azurite.ts'
import { startFakeGcs } from '../../scripts/servers/fake-gcs.ts'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { startWebHdfs } from '../../scripts/servers/webhdfs.ts'
import { SERVICE_VERSION, sharedKey } from '../../src/objects/azure/sign.ts'

export interface Lake {
  /** What stands for the lake in the project. */
  readonly code: string
  readonly uri: string
  readonly env: Record<string, string>
  /** Which of `env` is the address of the server. */
  readonly endpoint: string
  stop(): void
}

async function azureContainer({ account, key, endpoint }: AzureServer, name: string): Promise<void> {
  const url = `${endpoint}/${name}`
  const headers: Record<string, string> = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': SERVICE_VERSION }
  headers['authorization'] = sharedKey(account, key, { method: 'PUT', url, query: { restype: 'container' }, headers, bodyBytes: 0 })
  assert.equal((await fetch(`${url}?restype=container`, { method: 'PUT', headers })).status, 201)
}

/** By the function of the definition API. */
export const LAKES: Record<string, () => Promise<Lake | { readonly missing: string }>> = {
  async s3Lake() {
    const server = await startS3()
    if ('missing' in server) return server
    server.makeBucket('lake')
    const code =
      "s3Lake({ bucket: 'lake', prefix: 'shop', endpoint: config('LAKE_ENDPOINT'), accessKeyId: config('LAKE_KEY'), secretAccessKey: secret('LAKE_SECRET') })"
    const env = { LAKE_ENDPOINT: server.endpoint, LAKE_KEY: server.accessKeyId, LAKE_SECRET: server.secretAccessKey }
    return { code, uri: 's3://lake/shop/lake/', env, endpoint: 'LAKE_ENDPOINT', stop: server.stop }
  },
  async azureLake() {
    const server = await startAzurite()
    if ('missing' in server) return server
    await azureContainer(server, 'lake')
    const { account, endpoint, key, stop } = server
    const code = `azureLake({ account: '${account}', container: 'lake', prefix: 'shop', endpoint: config('LAKE_ENDPOINT'), key: secret('LAKE_KEY') })`
    return {
      code,
      uri: `abfss://lake@${account}.dfs.core.windows.net/shop/lake/`,
      env: { LAKE_ENDPOINT: endpoint, LAKE_KEY: key },
      endpoint: 'LAKE_ENDPOINT',
      stop,
    }
  },
  async googleLake() {
    const server = await startFakeGcs()
    if ('missing' in server) return server
    await server.makeBucket('lake')
    const env = { STORAGE_EMULATOR_HOST: server.endpoint }
    return {
      code: "googleLake({ bucket: 'lake', prefix: 'shop' })",
      uri: 'gs://lake/shop/lake/',
      env,
      endpoint: 'STORAGE_EMULATOR_HOST',
      stop: server.stop,
    }
  },
  async hdfsLake() {
    const server = await startWebHdfs()
    if ('missing' in server) return server
    const code = "hdfsLake({ url: config('LAKE_URL'), path: '/shop' })"
    const env = { LAKE_URL: server.url, HADOOP_USER_NAME: process.env['USER'] ?? 'root' }
    return { code, uri: 'hdfs://127.0.0.1/shop/lake/', env, endpoint: 'LAKE_URL', stop: server.stop }
  },
}
