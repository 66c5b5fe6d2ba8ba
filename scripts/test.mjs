// `npm test`: installs what is missing, checks types and style, then runs every test that needs no foreign toolchain.
// `npm run test:all` (`--all`) adds what is long or needs foreign servers: the files named `*.long.test.ts`.
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode, installDependencies } from './node24.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const args = process.argv.slice(2)
const all = args.includes('--all')
const chosen = args.filter((arg) => !arg.startsWith('--'))

const find = (folder) =>
  readdirSync(join(root, folder)).flatMap((name) => {
    if (name === 'node_modules' || name === 'dist' || name === 'data') return []
    const path = join(folder, name)
    if (statSync(join(root, path)).isDirectory()) return find(path)
    return path.endsWith('.test.ts') ? [path] : []
  })

installDependencies()
const node = findNode()
const run = (command, commandArgs, env = {}) => {
  const done = spawnSync(command, commandArgs, { cwd: root, stdio: 'inherit', env: { UV_THREADPOOL_SIZE: '16', ...process.env, ...env } })
  if (done.status !== 0) process.exit(done.status ?? 1)
}

if (chosen.length === 0) {
  run(node, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'])
  run(node, [join('node_modules', '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'])
}
const files = (
  chosen.length > 0 ? chosen.flatMap((path) => (path.endsWith('.ts') ? [path] : find(path))) : ['src', 'test'].flatMap(find)
).filter((path) => all || chosen.length > 0 || !path.endsWith('.long.test.ts'))
// Made before: files that run at once would each make them. Tests that find none skip and say why.
const shared =
  all && chosen.length === 0
    ? ['pyiceberg', 'spark', 'flink', 'azurite', 'fake-gcs', 'webhdfs', 'kafka', 'minio', 'iceberg-aws', 'azure-sdk', 'rck']
    : []
if (files.some((path) => path.includes('object'))) shared.push('versitygw')
for (const name of shared) spawnSync(node, [join('scripts', 'servers', `${name}.ts`)], { cwd: root, stdio: 'inherit' })
run(node, ['--import', './test/seed.ts', '--test', '--test-concurrency=2', '--test-reporter=spec', ...files], {
  MILLRACE_TEST_ALL: all ? '1' : '',
})
