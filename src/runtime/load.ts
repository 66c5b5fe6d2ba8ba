// Loads a project from its directory: finds the entry file, imports it with Node's own type stripping, and gives its
// default export. Node's hooks make 'millrace' resolve where it is not installed, and give a fresh module graph to each
// reload. Errors point at the user's file and line.
import { existsSync, readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { MillraceError } from '../core/errors.ts'
import { type Definition, isDefinition } from '../define/definition.ts'
import { isProject, type Project } from '../define/project.ts'

export interface LoadedProject {
  readonly project: Project
  /** Absolute, as given to `loadProject`. */
  readonly directory: string
  /** The entry file, absolute. */
  readonly entry: string
  /** The project's own files that were read, absolute: a change of one of them is a reason to load again. */
  readonly files: readonly string[]
  /** Definitions that these files export, in the project or not. */
  readonly exported: readonly { readonly exportName: string; readonly definition: Definition }[]
}

interface Load {
  /** URL of the directory, with a slash. */
  readonly root: string
  /** Distinguishes the modules of one load from those of earlier ones. */
  readonly generation: number
  readonly urls: Set<string>
}

let generations = 0
let hooked = false
const loads: Load[] = []

/**
 * The project in `directory`. Every call reads the files anew; the modules of earlier calls stay in memory, as Node
 * cannot forget them.
 * @throws MR_LOAD_NO_PROJECT without an entry file or a default export; MR_LOAD_PROJECT when a file does not load.
 */
export async function loadProject(directory: string): Promise<LoadedProject> {
  const root = resolve(directory)
  const entry = findEntry(root)
  const load: Load = { root: `${pathToFileURL(root).href}/`, generation: generations++, urls: new Set() }
  hookResolution()
  loads.push(load)
  try {
    const url = versioned(pathToFileURL(entry).href, load)
    const { default: project } = await importModule(url, root, entry)
    if (!isProject(project)) {
      const what = project === undefined ? 'has no default export' : 'exports something else than a project'
      throw new MillraceError('MR_LOAD_NO_PROJECT', `${entry} ${what}`, {
        fix: "write: export default project('name', [modules])",
        at: `${entry}:1`,
      })
    }
    return { project, directory: root, entry, files: [...load.urls].map(pathOf), exported: await readExports(load) }
  } finally {
    loads.splice(loads.indexOf(load), 1)
  }
}

/** `millrace` of package.json, else millrace.ts, .mts, .js, .mjs. */
function findEntry(root: string): string {
  const named = entryOfPackage(join(root, 'package.json'))
  const names = named === undefined ? ['millrace.ts', 'millrace.mts', 'millrace.js', 'millrace.mjs'] : [named]
  const found = names.map((name) => join(root, name)).find((path) => existsSync(path))
  if (found !== undefined) return found
  if (!existsSync(root))
    throw new MillraceError('MR_LOAD_NO_PROJECT', `there is no directory ${root}`, { fix: 'millrace init <dir>, or --project <dir>' })
  throw new MillraceError('MR_LOAD_NO_PROJECT', `${root} holds no ${names[0]}`, {
    fix: named === undefined ? 'millrace init <dir>, or --project <dir>' : 'correct "millrace" in package.json',
  })
}

function entryOfPackage(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  try {
    const named = (JSON.parse(readFileSync(path, 'utf8')) as { readonly millrace?: unknown }).millrace
    return typeof named === 'string' ? named : undefined
  } catch (cause) {
    throw new MillraceError('MR_LOAD_PROJECT', `${path} is not valid JSON: ${(cause as Error).message}`, {
      cause,
      at: path,
      fix: 'correct it',
    })
  }
}

/** Registered once: both rules apply only to modules of projects that are being loaded. */
function hookResolution(): void {
  if (hooked) return
  hooked = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const load = loads.findLast(({ root }) => context.parentURL?.startsWith(root) || specifier.startsWith(root))
      if (!load) return nextResolve(specifier, context)
      if (isOurs(specifier))
        return resolveOurs(
          () => nextResolve(specifier, context),
          () => nextResolve(specifier, { ...context, parentURL: import.meta.url }),
        )
      const resolved = nextResolve(specifier, context)
      return isOwnFile(resolved.url, load) ? { ...resolved, url: versioned(resolved.url, load) } : resolved
    },
  })
}

const isOurs = (specifier: string): boolean => specifier === 'millrace' || specifier.startsWith('millrace/')

/** The copy that the project has installed; where there is none, the one that is running. */
function resolveOurs<R>(installed: () => R, running: () => R): R {
  try {
    return installed()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    return running()
  }
}

const isOwnFile = (url: string, { root }: Load): boolean => url.startsWith(root) && !url.includes('/node_modules/')

/** Node caches modules by URL: a query makes it read the file again. */
function versioned(url: string, load: Load): string {
  const plain = url.replace(/\?.*$/, '')
  load.urls.add(plain)
  return load.generation === 0 ? plain : `${plain}?v=${load.generation}`
}

const pathOf = (url: string): string => fileURLToPath(url)

async function importModule(url: string, root: string, entry: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(url)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    const error = cause instanceof Error ? cause : new Error(String(cause))
    const at = placeOfError(error, root) ?? `${entry}:1`
    throw new MillraceError('MR_LOAD_PROJECT', `${at} does not load: ${error.message}`, { cause, at, fix: fixOf(error) })
  }
}

/** Where it went wrong: Node puts the place of a syntax error first, that of an exception into the frames. */
function placeOfError(error: Error, root: string): string | undefined {
  const stack = (error.stack ?? '').replaceAll('file://', '')
  const syntax = /^(\/[^\n]*?)(?:\?v=\d+)?:(\d+)\n/.exec(stack)
  if (syntax) return `${syntax[1]}:${syntax[2]}`
  const missing = /imported from (\/[^\n?]+)/.exec(error.message)
  if (missing) return `${missing[1]}:1`
  for (const [, path, line] of stack.matchAll(/\(?(\/[^\n()]*?)(?:\?v=\d+)?:(\d+):\d+\)?$/gm))
    if (path!.startsWith(root)) return `${path}:${line}`
  return undefined
}

function fixOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return 'Node strips types and compiles nothing: no enum, namespace or decorator'
  if (code === 'ERR_MODULE_NOT_FOUND') return 'correct the path (with its .ts), or npm install the package'
  if (/does not provide an export named/.test(error.message)) return 'correct the name; for a type, write import type'
  if (/before initialization/.test(error.message))
    return "two files import each other: name the relation in plain SQL, or use ref('relation.column', type)"
  return 'correct the file'
}

/** All modules are loaded already, so this runs nothing. */
async function readExports(load: Load): Promise<LoadedProject['exported']> {
  const exported: { exportName: string; definition: Definition }[] = []
  for (const url of load.urls) {
    if (!/\.m?[jt]s$/.test(url)) continue
    const module = (await import(versioned(url, load))) as Readonly<Record<string, unknown>>
    for (const [exportName, value] of Object.entries(module)) if (isDefinition(value)) exported.push({ exportName, definition: value })
  }
  return exported
}
