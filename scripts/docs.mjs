// `npm run docs`: writes docs/reference/errors.md from the catalogue in src/core/errors.ts. It reads the text, so that it
// also runs on a Node that cannot load TypeScript; `test/docs` compares what it finds with the catalogue itself.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Where the page stands, below the root. */
export const ERRORS_PAGE = 'docs/reference/errors.md'

const HEAD = `<!-- Written by \`npm run docs\` from src/core/errors.ts. Do not edit it. -->
# Errors

Every error has a code of this list, a message that says what happened with names and values, \`fix\` (the next command or
edit) and, where there is one, \`at\` (your file and line). Over HTTP it is \`application/problem+json\` with the status given
here; on the command line it is printed to standard error, and the exit status is 2 for \`MR_USAGE\` and 1 for all others.
*Again* marks those where trying again later can succeed.
`

/** The page, from the text of src/core/errors.ts. */
export function printErrors(source) {
  const catalogue = source.slice(source.indexOf('export const ERRORS = {'), source.indexOf('} as const satisfies'))
  const lines = [HEAD.trimEnd()]
  for (const [, section, code, quote, text, status, again] of catalogue.matchAll(
    /^ {2}(?:\/\/ (.+)|(MR_\w+): entry\((['"])(.+)\3, (\d+)(, true)?\),)$/gm,
  )) {
    if (section)
      lines.push('', `## ${section[0].toUpperCase()}${section.slice(1)}`, '', '| code | status | again | meaning |', '|---|---|---|---|')
    else lines.push(`| \`${code}\` | ${status} | ${again ? 'yes' : ''} | ${text.replaceAll(`\\${quote}`, quote).replaceAll('|', '\\|')} |`)
  }
  return `${lines.join('\n')}\n`
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(join(root, ERRORS_PAGE), printErrors(readFileSync(join(root, 'src/core/errors.ts'), 'utf8')))
