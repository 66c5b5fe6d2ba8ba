// The package as npm ships it, without src/: packed from a copy of the repository, put into an empty directory, used as a
// user would. Dependencies are linked from this repository, so nothing is downloaded.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const home = mkdtempSync(join(tmpdir(), 'millrace-pack-'))
after(() => rmSync(home, { recursive: true, force: true }))

const run = promisify(execFile)
/** `node` is the one that runs this test; a download of Node is never needed. */
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
  MILLRACE_NODE_CACHE: join(root, '.cache', 'node'),
}
const COPIED = ['src', 'bin', 'scripts', 'examples', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'LICENSE']

/** What packing reads, in a directory of its own: `prepack` writes there. */
function copyRepository(): string {
  const copy = join(home, 'repository')
  for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true })
  mkdirSync(join(copy, 'console', 'dist'), { recursive: true })
  writeFileSync(join(copy, 'console', 'dist', 'index.html'), '<title>console</title>')
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** Unpacks the tarball as `node_modules/millrace`, with its dependencies beside it. */
async function install(tarball: string, modules: string): Promise<string> {
  const installed = join(modules, 'millrace')
  mkdirSync(installed, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components', '1'])
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, object>
  for (const name of [...Object.keys(dependencies!), ...Object.keys(optionalDependencies!)]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  return installed
}

const IMPORT = /^(?:(?:import|export) (?!type )[^\n']*from |import |\} from )'(?!node:)((?:@[\w-]+\/)?[\w-]+)[^']*'$/gm

test('every package that the sources import is a dependency', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) => /(?<!\.test)\.ts$/.test(path))
  let seen = 0
  for (const path of files)
    for (const [, name] of readFileSync(join(root, 'src', path), 'utf8').matchAll(IMPORT)) {
      seen++
      assert.ok(name! in dependencies, `src/${path} imports ${name}`)
    }
  assert.ok(seen >= 10, `saw only ${seen} imports`)
})

test('the program starts by its name in a clone, as the documents call it', { skip: process.platform === 'win32' }, async () => {
  const { stdout } = await run(join(root, 'bin', 'millrace.mjs'), ['--help'], { env })
  assert.match(stdout, /^Usage: millrace/)
})

test('the packed package makes a project and checks it', { timeout: 300_000 }, async () => {
  const copy = copyRepository()
  const source = readFileSync(join(copy, 'package.json'), 'utf8')
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', home], { cwd: copy, env, maxBuffer: 32 << 20 })
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  assert.equal(readFileSync(join(copy, 'package.json'), 'utf8'), source, 'package.json is as it was')

  const paths = files.map(({ path }) => path)
  for (const needed of ['dist/index.js', 'dist/index.d.ts', 'bin/millrace.mjs', 'scripts/node24.mjs', 'console/dist/index.html', 'LICENSE'])
    assert.ok(paths.includes(needed), `${needed} is in the package`)
  for (const template of ['shop', 'sensors', 'ledger', 'empty']) assert.ok(paths.includes(`examples/${template}/millrace.ts`), template)
  const unwanted = paths.filter((path) => /^(src|test|bench|node_modules)\//.test(path) || /\.test\./.test(path))
  assert.deepEqual(unwanted, [])

  const user = join(home, 'user')
  const installed = await install(join(home, filename), join(user, 'node_modules'))
  assert.ok(!existsSync(join(installed, 'src')))
  const millrace = (...args: string[]) => run(process.execPath, [join(installed, 'bin', 'millrace.mjs'), ...args], { cwd: user, env })
  await millrace('init', 'x', '--template', 'empty')
  const project = join(user, 'x')
  assert.equal((JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { type: string }).type, 'module')
  const checked = JSON.parse((await millrace('check', '--project', 'x', '--json')).stdout) as { ok: boolean; findings: unknown[] }
  assert.deepEqual(checked, { ok: true, findings: [] })
  assert.match(readFileSync(join(project, 'millrace-env.d.ts'), 'utf8'), /event_counts: \{/)

  // The editor of a user sees the types of the package and of the generated file, not `any`.
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, allowImportingTsExtensions: true, types: [] },
      include: ['*.ts'],
    }),
  )
  writeFileSync(
    join(project, 'use.ts'),
    "import { eventCounts } from './millrace.ts'\nexport const events: bigint = eventCounts.$row.events\n" +
      '// @ts-expect-error a text is no bigint\nexport const name: bigint = eventCounts.$row.name\n',
  )
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await run(process.execPath, [compiler, '-p', project]).catch((error: { stdout: string }) => assert.fail(error.stdout))
})
