// What TypeScript may call of node24.mjs.
export function findNode(): string
export function installNode(version: string, home: string, why: string): string
export function installDependencies(): void
export function run(script: string, args: readonly string[], options?: { nodeArgs?: readonly string[]; env?: NodeJS.ProcessEnv }): void
