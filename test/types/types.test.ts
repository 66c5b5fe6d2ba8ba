// The definition API in the user's editor: what must compile does, what must not does not (`@ts-expect-error` fails when
// there is no error), under the newest TypeScript and the oldest that is supported.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const modules = join(dirname(dirname(here)), 'node_modules')

/** What the compiler prints; empty when all is well. */
const compile = (compiler: string, folder: string): Promise<string> =>
  new Promise((resolve) => {
    const args = [join(modules, compiler, 'bin', 'tsc'), '-p', join(here, folder)]
    execFile(process.execPath, args, (error, stdout, stderr) => resolve(error ? `${stdout}${stderr}` || error.message : ''))
  })

for (const compiler of ['typescript', 'typescript-5.9']) {
  for (const folder of ['shop', 'fresh']) {
    test(`${folder} under ${compiler}`, async () => assert.equal(await compile(compiler, folder), ''))
  }
}

test('the console under typescript', async () => assert.equal(await compile('typescript', '../../console'), ''))

test('the compilers are what they are called, and the refusals are many', () => {
  const versionOf = (name: string): string =>
    (JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as { version: string }).version
  assert.match(versionOf('typescript'), /^7\./)
  assert.match(versionOf('typescript-5.9'), /^5\.9\./)
  assert.ok((readFileSync(join(here, 'shop', 'refused.ts'), 'utf8').match(/@ts-expect-error/g) ?? []).length >= 35)
})
