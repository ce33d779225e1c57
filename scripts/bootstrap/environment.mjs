/** What `npm run` adds about itself; pnpm and npx would take it for settings of their own. */
const NPM_RUN =
  /^(INIT_CWD|NODE|npm_(command|execpath|node_execpath|lifecycle_.*|package_.*|config_(user_agent|prefix|global_prefix|local_prefix|node_gyp|noproxy|nodedir|npm_version|init_module)))$/i;

/**
 * The environment for child processes: that of the caller without what npm says about its own run.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function childEnvironment(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !NPM_RUN.test(name)));
}
