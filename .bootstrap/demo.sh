# shellcheck shell=sh
# demo: a private platform beside the host's own daemons and users. All of it is below one directory:
#
#   bin/ dokku          the programs; dokku is the command of this platform
#   root/ lib/          DOKKU_ROOT and DOKKU_LIB_ROOT
#   sshd/ nginx/        daemons on free ports: configuration, log, pid
#   engine/             a docker engine, if the host has none
#   client/ app/        what a developer has: a key, ssh's configuration, the sources of an app
#   made/               notes on what is outside of the directory, for demo-clean

DEMO=${DOKKU_DEMO_DIR:-/var/tmp/dokku-demo}
DEMO_APP=hello-demo

demo() {
  demo_directory
  phase packages "Programs that have to be there"
  need_certificates
  start_job programs build
  # shellcheck disable=SC2046 # a list
  need_without_services $(platform_programs)
  phase engine "Docker engine"
  # An engine that it started once stays the demo's, so that all is in one place.
  if [ -z "${DOCKER_HOST:-}" ] && [ -e "$DEMO/engine" ]; then
    start_engine "$DEMO/engine"
  fi
  use_engine "$DEMO/engine"
  demo_stack_begins
  phase platform "Private platform in $DEMO"
  finish_job programs
  demo_platform
  phase stack "Image that apps are built on"
  finish_stack
  demo_push
  demo_push_again
  # The developer's part is the user's who called sudo.
  give_back "$DEMO/app" "$DEMO/client"
  demo_next
  phases
}

# demo_directory makes the directory; one that is not ours is not touched.
demo_directory() {
  case $DEMO in
    /*) ;;
    *) die "cannot use DOKKU_DEMO_DIR=$DEMO: give an absolute path" ;;
  esac
  case $DEMO in
    *[!A-Za-z0-9._/-]*) die "cannot use DOKKU_DEMO_DIR=$DEMO: only letters, digits and ._/- are allowed" ;;
  esac
  if [ -e "$DEMO" ] && { [ ! -e "$DEMO/made" ] || [ ! -O "$DEMO" ]; }; then
    die "cannot use $DEMO: it is there already, and not made by demo; set DOKKU_DEMO_DIR to another directory"
  fi
  mkdir -p "$DEMO/made" "$DEMO/bin" "$DEMO/root" "$DEMO/lib" "$DEMO/nginx"
  install -d -m 700 "$DEMO/sshd" "$DEMO/client"
}

# demo_stack_begins notes what demo-clean has to remove beside the directory.
demo_stack_begins() {
  touch "$DEMO/made/docker-hosts"
  if ! grep -qxF "$DOCKER_HOST" "$DEMO/made/docker-hosts"; then
    echo "$DOCKER_HOST" >>"$DEMO/made/docker-hosts"
  fi
  owner=$(docker image inspect --format '{{index .Config.Labels "com.dokku.instance"}}' "dokku/$DEMO_APP:latest" 2>/dev/null || :)
  if [ -n "$owner" ] && [ "$owner" != "$DEMO/root" ]; then
    die "cannot push $DEMO_APP to the engine at $DOCKER_HOST: it has an app of this name already, of the platform in $owner"
  fi
  # shellcheck disable=SC2153 # set in bootstrap.sh
  if [ ! -e "$CACHE" ]; then
    echo "$CACHE" >"$DEMO/made/cache"
  fi
  prepare_stack demo
}

demo_platform() {
  for program in dokku sshcommand pluginhook; do
    if ! cmp -s "$SRC/bin/$program" "$DEMO/bin/$program"; then
      install -m 755 "$SRC/bin/$program" "$DEMO/bin/.new"
      mv "$DEMO/bin/.new" "$DEMO/bin/$program"
    fi
  done
  ssh_port=$(demo_port "$DEMO/sshd" 2222)
  http_port=$(demo_port "$DEMO/nginx" 8080)
  tls_port=$(demo_port "$DEMO/nginx" 8443 tls-port)
  demo_settings
  "$DEMO/dokku" core-install
  demo_keys
  demo_sshd
  demo_nginx
  note "sshd on 127.0.0.1:$ssh_port, nginx on port $http_port"
}

# demo_port prints the port of a daemon that runs, else one that is free.
demo_port() { # DIRECTORY FIRST [FILE]
  if [ ! -s "$1/${3:-port}" ] || ! pid_of "$1/pid" "$1" >/dev/null; then
    free_port "$2" >"$1/${3:-port}"
  fi
  cat "$1/${3:-port}"
}

# demo_settings writes what makes the platform private: dokkurc, and a dokku that knows where that is.
demo_settings() {
  nginx="nginx -e $DEMO/nginx/error.log -c $DEMO/nginx/nginx.conf"
  {
    setting DOKKU_LIB_ROOT "$DEMO/lib"
    setting PLUGIN_PATH "$DEMO/lib/plugins"
    setting DOKKU_SYSTEM_USER "$(id -un)"
    setting DOKKU_SYSTEM_GROUP "$(id -gn)"
    setting DOKKU_IMAGE dokku/stack:demo
    setting DOKKU_NGINX_TEST_COMMAND "$nginx -t"
    setting DOKKU_NGINX_RELOAD_COMMAND "$nginx -s reload"
    setting DOKKU_NGINX_PID_FILE "$DEMO/nginx/pid"
    setting DOKKU_NGINX_LOG_ROOT "$DEMO/nginx"
    setting DOKKU_NGINX_ADDRESS 127.0.0.1
    setting DOKKU_NGINX_PORT "$http_port"
    setting DOKKU_NGINX_SSL_PORT "$tls_port"
    setting DOCKER_HOST "$DOCKER_HOST"
    network_settings
  } | replace "$DEMO/root/dokkurc" 600 || :
  echo localhost | replace "$DEMO/root/VHOST" || :
  echo localhost | replace "$DEMO/root/HOSTNAME" || :
  replace "$DEMO/dokku" 755 <<EOF || :
#!/bin/sh
# dokku of the platform in $DEMO
DOKKU_ROOT=$DEMO/root PATH=$DEMO/bin:\$PATH:/usr/sbin:/sbin exec $DEMO/bin/dokku "\$@"
EOF
}

setting() { printf "export %s='%s'\n" "$1" "$(printf %s "$2" | sed "s/'/'\\\\''/g")"; }

# network_settings prints how this host gets at packages, for the builds.
network_settings() {
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy npm_config_registry \
    GOPROXY GONOSUMDB GOSUMDB PIP_INDEX_URL; do
    eval "value=\${$name:-}"
    if [ -n "$value" ]; then
      setting "$name" "$value"
    fi
  done
}

# demo_keys makes the keys of the server and of a developer. The developer's is authorized the way sshcommand does it.
demo_keys() {
  for key in sshd/host_key client/id_ed25519; do
    [ -e "$DEMO/$key" ] || ssh-keygen -q -t ed25519 -N '' -C demo -f "$DEMO/$key"
  done
  echo "$DEMO/dokku" | replace "$DEMO/root/.sshcommand" || :
  fingerprint=$(ssh-keygen -lf "$DEMO/client/id_ed25519.pub" | cut -d ' ' -f 2)
  # shellcheck disable=SC2016 # the shell of the login expands it
  printf 'command="FINGERPRINT=%s NAME=\\"demo\\" && export FINGERPRINT NAME && set -f && exec `cat %s/.sshcommand` $SSH_ORIGINAL_COMMAND",restrict,pty %s\n' \
    "$fingerprint" "$DEMO/root" "$(cat "$DEMO/client/id_ed25519.pub")" | replace "$DEMO/sshd/authorized_keys" 600 || :
  echo "[127.0.0.1]:$ssh_port $(cut -d ' ' -f 1,2 "$DEMO/sshd/host_key.pub")" | replace "$DEMO/client/known_hosts" || :
  replace "$DEMO/client/ssh_config" 600 <<EOF || :
Host dokku
  HostName 127.0.0.1
  Port $ssh_port
  User $(id -un)
  IdentityFile $DEMO/client/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $DEMO/client/known_hosts
  StrictHostKeyChecking yes
EOF
}

demo_sshd() {
  # Without PAM sshd lets nobody in whose account is locked, as root's often is.
  pam=no
  case $(getent shadow "$(id -un)" | cut -d : -f 2) in
    '!'*) pam=yes ;;
  esac
  # StrictModes would refuse keys below a directory that all may write to, such as /var/tmp.
  if replace "$DEMO/sshd/sshd_config" 600 <<EOF
ListenAddress 127.0.0.1
Port $ssh_port
HostKey $DEMO/sshd/host_key
PidFile $DEMO/sshd/pid
AuthorizedKeysFile $DEMO/sshd/authorized_keys
AllowUsers $(id -un)
PermitRootLogin forced-commands-only
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM $pam
EOF
  then
    stop_pid "$DEMO/sshd/pid" "$DEMO/sshd"
  fi
  if ! pid_of "$DEMO/sshd/pid" "$DEMO/sshd" >/dev/null; then
    mkdir -p /run/sshd
    (cd / && "$(command -v sshd)" -f "$DEMO/sshd/sshd_config" -E "$DEMO/sshd/log" </dev/null >/dev/null 2>&1) \
      || die "cannot start sshd: see $DEMO/sshd/log"
    until_ok 10 pid_of "$DEMO/sshd/pid" "$DEMO/sshd" >/dev/null || die "cannot start sshd: see $DEMO/sshd/log"
  fi
}

demo_nginx() {
  workers=
  if getent passwd www-data >/dev/null; then
    workers="user www-data;"
  fi
  "$DEMO/dokku" nginx:http-config >"$WORK/http-config"
  changed=
  if replace "$DEMO/nginx/nginx.conf" <<EOF
$workers
worker_processes 2;
pid $DEMO/nginx/pid;
error_log $DEMO/nginx/error.log;
events {}
http {
  access_log $DEMO/nginx/access.log;
  client_body_temp_path $DEMO/nginx/body;
  proxy_temp_path $DEMO/nginx/proxy;
  fastcgi_temp_path $DEMO/nginx/fastcgi;
  uwsgi_temp_path $DEMO/nginx/uwsgi;
  scgi_temp_path $DEMO/nginx/scgi;
$(cat "$WORK/http-config")
}
EOF
  then
    changed=yes
  fi
  if ! pid_of "$DEMO/nginx/pid" "$DEMO/nginx" >/dev/null; then
    (cd / && nginx -e "$DEMO/nginx/error.log" -c "$DEMO/nginx/nginx.conf" </dev/null >"$WORK/nginx.log" 2>&1) \
      || die "cannot start nginx: $(cat "$WORK/nginx.log")"
  elif [ -n "$changed" ]; then
    quietly nginx -e "$DEMO/nginx/error.log" -c "$DEMO/nginx/nginx.conf" -s reload
  fi
}

# demo_git is git in the app's sources, whatever the settings of the user say.
demo_git() {
  env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE GIT_CONFIG_GLOBAL=/dev/null git -C "$DEMO/app" \
    -c user.name=demo -c user.email=demo@localhost -c safe.directory="$DEMO/app" "$@"
}

demo_push() {
  phase "first push" "A developer pushes docs/examples/hello as app $DEMO_APP"
  mkdir -p "$DEMO/app"
  cp -R "$SRC/docs/examples/hello/." "$DEMO/app/"
  if [ ! -e "$DEMO/app/.git" ]; then
    demo_git init -q -b main
    demo_git remote add dokku "dokku:$DEMO_APP"
    demo_git config user.name demo
    demo_git config user.email demo@localhost
  fi
  demo_git config core.sshCommand "ssh -F $DEMO/client/ssh_config"
  demo_git add -A
  demo_git commit -q --allow-empty -m "Say hello"
  demo_deploy
}

demo_push_again() {
  phase "second push" "The developer changes the app and pushes again"
  show sed -i 's/Hello, /Hello again, /' "$DEMO/app/server.py"
  echo 2 >"$DEMO/app/VERSION"
  demo_git commit -q -a -m "Say hello again"
  demo_deploy
}

demo_deploy() {
  printf '       $ git push dokku main\n'
  demo_git push dokku main 2>&1
  url=$("$DEMO/dokku" url "$DEMO_APP")
  printf '       $ curl %s\n' "$url"
  curl --fail --silent --show-error --noproxy '*' --max-time 20 "$url" >"$WORK/answer" || die "cannot get $url: see $DEMO/nginx/error.log"
  sed 's/^/       /' "$WORK/answer"
  grep -qF "This is version $(cat "$DEMO/app/VERSION")." "$WORK/answer" || die "cannot find the pushed version in what $url answers"
}

demo_next() {
  cat <<EOF

=====> $url is up. Try next:

  cd $DEMO/app               # edit server.py, git commit -a, and then
  git push dokku main
  curl $url

  alias demo='ssh -F $DEMO/client/ssh_config dokku'
  demo help
  demo config:set $DEMO_APP NAME=you
  demo logs $DEMO_APP
  demo run $DEMO_APP ls

  $SRC/bootstrap.sh demo-clean

EOF
}

demo_clean() {
  if [ ! -e "$DEMO" ]; then
    say "Nothing to remove: there is no $DEMO"
    return
  fi
  if [ ! -e "$DEMO/made" ] || [ ! -O "$DEMO" ]; then
    die "cannot remove $DEMO: it was not made by demo"
  fi
  say "Removing the platform in $DEMO"
  stop_pid "$DEMO/sshd/pid" "$DEMO/sshd"
  stop_pid "$DEMO/nginx/pid" "$DEMO/nginx"
  demo_clean_processes
  stop_engine "$DEMO/engine"
  if [ -e "$DEMO/made/docker-hosts" ]; then
    grep -vxF "unix://$DEMO/engine/docker.sock" "$DEMO/made/docker-hosts" | while read -r host; do
      demo_clean_engine "$host"
    done
  fi
  if [ -e "$DEMO/made/cache" ]; then
    cache=$(cat "$DEMO/made/cache")
    rm -f "$cache"/stack-*.tar.zst "$cache"/.stack-*
    rmdir "$cache" 2>/dev/null || :
  fi
  [ -z "$(mounts_below "$DEMO")" ] || die "cannot remove $DEMO: there are still mounts in it"
  rm -rf --one-file-system "$DEMO"
  note "done"
}

# demo_clean_processes ends what still runs of the platform's programs: one waits to end an old container, for instance.
demo_clean_processes() {
  for proc in /proc/[0-9]*; do
    case $(readlink "$proc/exe" || :) in
      "$DEMO/bin/"*) kill "${proc#/proc/}" || : ;;
    esac
  done 2>/dev/null
}

# demo_clean_engine removes what is the platform's from an engine that is not.
demo_clean_engine() { # DOCKER_HOST
  export DOCKER_HOST="$1"
  if ! answers "$DOCKER_HOST"; then
    note "the engine at $DOCKER_HOST does not answer: images and containers stay there"
    return
  fi
  ours="label=com.dokku.instance=$DEMO/root"
  base=$(docker image inspect --format '{{index .Config.Labels "com.dokku.stack-base"}}' dokku/stack:demo 2>/dev/null || :)
  docker container ls -aq --filter "$ours" | while read -r id; do
    docker container rm -fv "$id" >/dev/null
  done
  {
    docker image ls --format '{{.Repository}}:{{.Tag}}' --filter "$ours" | grep -v '<none>' || :
    docker image ls -q --no-trunc --filter "$ours" --filter dangling=true
    echo dokku/stack:demo
  } | while read -r image; do
    docker image rm "$image" >/dev/null 2>&1 || :
  done
  # Another stack may be made of the same.
  if [ -n "$base" ] && [ -z "$(docker image ls -q --filter "label=com.dokku.stack-base=$base")" ]; then
    docker image rm "$base" >/dev/null 2>&1 || :
  fi
}
