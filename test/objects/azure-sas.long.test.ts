// Signatures for a table's directory in Azure, as Microsoft's own library makes them; and what Azurite, which has no directories, says
// of itself. Whether Azure holds a client to a directory is shown by neither: no account has been met.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installAzureSdk } from '../../scripts/servers/azure-sdk.ts'
import { startAzurite } from '../../scripts/servers/azurite.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import { openAzureVendor } from '../../src/objects/azure/azure-vendor.ts'
import { type DirectorySasOptions, directorySas } from '../../src/objects/azure/sign.ts'

const sdk = installAzureSdk()
test('signed as Microsoft’s library signs', { skip: 'missing' in sdk ? sdk.missing : false }, () => {
  assert.ok('python' in sdk)
  const value = Buffer.from('a key that is no secret').toString('base64')
  const guids = { skoid: '2b1f6a5e-0000-4000-8000-000000000001', sktid: '2b1f6a5e-0000-4000-8000-000000000002' }
  const delegated = { ...guids, skt: '2026-01-01T00:00:00Z', ske: '2026-01-01T00:15:00Z', sks: 'b', skv: '2021-12-02', value }
  const endsMs = Date.UTC(2026, 0, 1, 0, 15)
  const asked = [value, delegated].flatMap((key) =>
    ['shop/lake/clicks', 'lake/ünter=1/t', 'one'].flatMap((directory) =>
      ['rl', 'racwdl'].map(
        (permissions): DirectorySasOptions => ({ account: 'acme', container: 'lake', directory, permissions, endsMs, key }),
      ),
    ),
  )
  const input = JSON.stringify(asked.map((one) => ({ ...one, ends: new Date(one.endsMs).toISOString().replace(/\.\d{3}/, '') })))
  const done = spawnSync(sdk.python, [join(dirname(fileURLToPath(import.meta.url)), 'azure_sas.py')], { input, encoding: 'utf8' })
  assert.equal(done.status, 0, done.stderr)
  const theirs = JSON.parse(done.stdout) as string[]
  assert.equal(theirs.length, 12)
  for (const [index, one] of asked.entries())
    assert.deepEqual(directorySas(one), Object.fromEntries(new URLSearchParams(theirs[index])), JSON.stringify(one))
})

const azurite = await startAzurite()
test('an account without a hierarchical namespace gives none', { skip: 'missing' in azurite ? azurite.missing : false }, async () => {
  assert.ok('key' in azurite)
  const { account, endpoint, key, stop } = azurite
  const prefix = `abfss://lake@${account}.dfs.core.windows.net/`
  const store = { account, container: 'lake', endpoint, prefix, authorization: { kind: 'key', key } as const }
  try {
    await assert.rejects(
      openAzureVendor({ clock: systemClock, random: systemRandom }, store).vend({ directory: `${prefix}t`, isWrite: false, user: 'ada' }),
      { code: 'MR_OBJECT_STORE', message: /no hierarchical namespace/ },
    )
  } finally {
    stop()
  }
})
