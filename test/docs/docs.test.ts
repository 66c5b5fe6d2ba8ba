// The documents stay true: code in them compiles, links and paths lead somewhere, and what can be counted in the sources
// (error codes, commands, variables, system columns, folders) is all there.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ERRORS } from '../../src/core/errors.ts'
import { compileProject } from '../../src/runtime/start-project.ts'
import { ENDPOINTS } from '../../src/serve/iceberg/routes.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const under = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => `${folder}/${path}`)
const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...under('docs', '.md')]
const home = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
after(() => rmSync(home, { recursive: true, force: true }))

/**
 * The `ts` blocks of a page as one module, each line where it stands in the page; imports of all blocks are joined on the
 * first line, which is the title. Null when there are none.
 */
function moduleOf(page: string): string | null {
  const names = new Set<string>()
  let isInside = false
  let seen = 0
  const lines = page.split('\n').map((line) => {
    const fence = /^```(\w*)/.exec(line)
    if (fence) {
      isInside = !isInside && fence[1] === 'ts'
      if (isInside) seen++
      return ''
    }
    const imported = isInside ? /^import \{ (.+) \} from 'millrace'$/.exec(line) : null
    for (const name of imported?.[1]?.split(', ') ?? []) names.add(name)
    return isInside && !imported ? line : ''
  })
  return seen === 0 ? null : [`import { ${[...names].join(', ')} } from 'millrace'`, ...lines.slice(1)].join('\n')
}

/** The `proto` blocks of a page, by the name of the file that their first line says. */
const filesOf = (page: string): readonly (readonly [name: string, text: string])[] =>
  [...page.matchAll(/^```proto\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(([, name, text]) => [name!, text!])

test('every block of TypeScript compiles, and what a page defines checks', async () => {
  writeFileSync(join(home, 'package.json'), '{"type": "module"}')
  const names: string[] = []
  for (const page of pages) {
    const module = moduleOf(read(page))
    if (module === null) continue
    names.push(page.replaceAll('/', '-').slice(0, -'.md'.length))
    writeFileSync(join(home, `${names.at(-1)}.ts`), module)
    for (const [name, text] of filesOf(read(page))) writeFileSync(join(home, name), text)
  }
  assert.ok(names.length >= 8, `saw only ${names.length} pages with code`)
  const options = {
    paths: { millrace: [join(root, 'src', 'index.ts')], 'millrace/kafka': [join(root, 'src', 'define', 'kafka.ts')] },
    typeRoots: [join(root, 'node_modules', '@types')],
  }
  writeFileSync(
    join(home, 'tsconfig.json'),
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: options, include: ['*.ts'], exclude: [] }),
  )
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await promisify(execFile)(process.execPath, [compiler, '-p', home]).catch((error: { stdout: string }) => assert.fail(error.stdout))
  for (const name of names) {
    const entry = `import { project } from 'millrace'\nimport * as page from './${name}.ts'\nexport default project('page', [page])\n`
    writeFileSync(join(home, 'millrace.ts'), entry)
    const { findings, manifest } = await compileProject(home)
    assert.deepEqual(
      findings.filter(({ severity }) => severity === 'error'),
      [],
      name,
    )
    assert.ok(manifest.relations.length > 0, `${name} defines no relation`)
  }
})

/** Anchor of a heading, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

test('every relative link leads somewhere', () => {
  let seen = 0
  for (const page of pages) {
    for (const [, link] of read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      seen++
      const [path, anchor] = link!.split('#')
      const target = path === '' ? page : normalize(join(dirname(page), path!))
      assert.ok(existsSync(join(root, target)), `${page} links to ${link}`)
      if (anchor === undefined) continue
      const anchors = [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!))
      assert.ok(anchors.includes(anchor), `${page} links to ${link}: ${target} has no such heading`)
    }
  }
  assert.ok(seen >= 30, `saw only ${seen} links`)
})

test('every path of the repository that is named exists', () => {
  let seen = 0
  for (const page of pages) {
    for (const [, path] of read(page).matchAll(/`((?:src|test|bench|scripts|examples|console|bin)\/[\w./-]*)`/g)) {
      seen++
      assert.ok(existsSync(join(root, path!)), `${page} names ${path}`)
    }
  }
  assert.ok(seen >= 40, `saw only ${seen} paths`)
})

test('ARCHITECTURE.md is short and has every folder, README.md is one page', () => {
  const text = read('ARCHITECTURE.md')
  assert.ok(text.split('\n').length <= 300, `${text.split('\n').length} lines`)
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  assert.ok(folders.length >= 15)
  for (const { name } of folders) assert.match(text, new RegExp(`\`src/${name}/`), `src/${name} is not mentioned`)
  assert.ok(read('README.md').split('\n').length <= 180)
})

test('the ranks of ARCHITECTURE.md are those of the tidy test', () => {
  const ranks = [...read('test/tidy.test.ts').matchAll(/^ {2}(\w+): (\d+),$/gm)].map(([, folder, rank]) => `${rank} ${folder}`)
  assert.ok(ranks.length >= 15)
  const table = [...read('ARCHITECTURE.md').matchAll(/^\| (\d+) \| `src\/(\w+)\/` \|/gm)].map(([, rank, folder]) => `${rank} ${folder}`)
  assert.deepEqual(table.toSorted(), ranks.toSorted())
})

test('errors.md is fresh and whole', async () => {
  const docs = '../../scripts/docs.mjs'
  const { printErrors, ERRORS_PAGE } = (await import(docs)) as { printErrors(source: string): string; ERRORS_PAGE: string }
  const page = read(ERRORS_PAGE)
  assert.equal(page, printErrors(read('src/core/errors.ts')), 'stale: npm run docs')
  for (const [code, { summary, status }] of Object.entries(ERRORS))
    assert.ok(page.includes(`| \`${code}\` | ${status} |`), `${code} (${summary})`)
})

test('every command and option of the parser is in cli.md', () => {
  const parser = read('src/cli/main.ts')
  const page = read('docs/reference/cli.md')
  const commands = [...parser.matchAll(/define(?:<[^>]*>)?\(\s*(\w+),\s*'([a-z]+)/g)].map(([, parent, name]) =>
    parent === 'program' ? name! : `${parent} ${name}`,
  )
  assert.ok(commands.length >= 15, `saw only ${commands}`)
  for (const command of commands) assert.match(page, new RegExp(`^## .*\`${command}\\b`, 'm'), `${command} has no heading`)
  for (const [, option] of parser.matchAll(/\.option\('(--[a-z-]+)/g)) assert.ok(page.includes(`\`${option}`), option)
})

test('every environment variable that the sources read is in configuration.md', () => {
  const page = read('docs/reference/configuration.md')
  const names = new Set(
    [...under('src', '.ts'), ...under('bin', '.mjs'), 'scripts/node24.mjs'].flatMap((path) =>
      [...read(path).matchAll(/\b(MILLRACE_[A-Z_]+|UV_THREADPOOL_SIZE|NO_COLOR)\b/g)].map(([name]) => name),
    ),
  )
  assert.ok(names.size >= 12)
  for (const name of names) assert.ok(page.includes(`\`${name}\``), name)
})

test('every column of millrace.* is in system-tables.md', () => {
  const source = read('src/runtime/system-relations.ts')
  const page = read('docs/reference/system-tables.md')
  const tables = [...source.matchAll(/^ {2}(\w+): \{\n {4}columns: \[([\s\S]*?)\n {4}\],/gm)]
  assert.ok(tables.length >= 9, `saw only ${tables.length} tables`)
  for (const [, table, columns] of tables) {
    const section = page.split(/^## /m).find((part) => part.startsWith(`millrace.${table}\n`))
    assert.ok(section, `millrace.${table}`)
    for (const [, column, type] of columns!.matchAll(/\['(\w+)', '(\w+)'\]/g))
      assert.ok(section.includes(`| \`${column}\` | ${type} |`), `millrace.${table}.${column} ${type}`)
  }
})

test('every route of the server is in http.md', () => {
  const page = read('docs/reference/http.md')
  const routes = [
    ...[...read('src/serve/admin/routes.ts').matchAll(/route\('(GET|POST)', '([^']+)'/g)].map(
      ([, method, path]) => `${method} /admin${path}`,
    ),
    ...[...read('src/serve/serve-http.ts').matchAll(/app\.get\('([^']+)'/g)].map(([, path]) => `GET ${path}`),
  ]
  assert.ok(routes.length >= 20)
  for (const route of routes) assert.ok(page.includes(`\`${route}\``), route)
})

test('every endpoint of the Iceberg catalog is in iceberg.md, and nothing else', () => {
  const page = read('docs/reference/iceberg.md')
  const named = [...page.matchAll(/`((?:GET|HEAD|POST|DELETE) \/v1\/\{prefix\}[^`]*)`/g)].map(([, endpoint]) => endpoint)
  assert.ok(ENDPOINTS.length >= 20)
  assert.deepEqual(named.toSorted(), [...ENDPOINTS].sort())
})

test('every dependency has its reason', () => {
  const page = read('docs/decisions/0006-dependencies.md')
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  const names = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((kind) => Object.keys(manifest[kind]!))
  for (const name of names) assert.ok(page.includes(`| \`${name}\` |`), name)
})
