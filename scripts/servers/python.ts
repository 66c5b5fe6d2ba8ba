// Python packages for the tests, installed with pip at pinned versions into a folder of .cache that has nothing else.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export type Python = { readonly python: string } | { readonly missing: string }

/** Path of a Python that has the packages, or why there is none. `folder` is named after what is in it, with its version. */
export function installPython(folder: string, packages: readonly string[]): Python {
  const home = join(root, '.cache', folder)
  const python = join(home, 'bin', 'python')
  if (existsSync(join(home, 'complete'))) return { python }
  rmSync(home, { recursive: true, force: true })
  mkdirSync(dirname(home), { recursive: true })
  const failed =
    run('python3', ['-m', 'venv', home]) ?? run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages])
  if (failed) return { missing: failed }
  // Written last, under its name in one step: an interrupted installation is begun anew.
  writeFileSync(join(home, 'complete.new'), packages.join('\n'))
  renameSync(join(home, 'complete.new'), join(home, 'complete'))
  return { python }
}

/** Of a script that is run by itself: installs and says so. */
export function tellInstalled(what: string, installed: Python): void {
  console.log('python' in installed ? `${what} is installed: ${installed.python}` : installed.missing)
  process.exitCode = 'python' in installed ? 0 : 1
}
