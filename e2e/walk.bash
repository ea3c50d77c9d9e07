# Words that the comments in the documents use beside those of a reader. The first failure of a command is kept.
set -E
trap 'broken="${broken:-$BASH_COMMAND}"' ERR

# What never ends by itself is looked at for a while.
kubectl() {
  case " $* " in
    *" --watch "* | *" -w "* | *" --follow "*) briefly command kubectl "$@" ;;
    *) command kubectl "$@" ;;
  esac
}

# An answer that is an error is one.
curl() {
  case " $* " in
    *" -N "*) briefly command curl --silent --show-error "$@" ;;
    *) command curl --silent --show-error --fail-with-body "$@" ;;
  esac
}

briefly() {
  local code=0
  [ "$1" = command ] && shift
  timeout 4 "$@" || code=$?
  [ "$code" = 124 ]
}

# The example: its services, and when they are ready what watches them.
example() {
  local name
  for name in web inventory pager repair; do kubectl apply -f "examples/web/$name.yaml"; done
  for name in web inventory pager; do kubectl rollout status "deployment/$name" --timeout=110s; done
  for name in circuitbreakers "${1:-recoverypolicy}"; do kubectl apply -f "examples/web/$name.yaml"; done
  kubectl wait cb/inventory cb/web --for=condition=TargetHealthy --timeout=60s
  kubectl wait rp/web --for=condition=Ready --timeout=60s
}

# A pod of an app answers 503 from now on; more than one with a second word.
sick() {
  local pod
  for pod in $(command kubectl get pods -l "app.kubernetes.io/name=$1" -o name | head -n "${2:-1}"); do
    command kubectl create --raw "/api/v1/namespaces/$NAMESPACE/pods/${pod#pod/}:8080/proxy/fail?seconds=600" -f /dev/null
  done
}

run_is() {
  command kubectl wait --for=create "rr/$1" --timeout=60s
  command kubectl wait "rr/$1" --for=jsonpath='{.status.phase}'="$2" --timeout=120s
}

decides() { command kubectl wait "rp/$1" --for=jsonpath='{.status.lastDecision.reason}'="$2" --timeout=60s; }

# The stock of the inventory is not what it should be: web is not Ready, and new pods of it are not either.
spoil() {
  local pod
  pod=$(command kubectl get pods -l app.kubernetes.io/name=inventory -o name)
  command kubectl create --raw "/api/v1/namespaces/$NAMESPACE/pods/${pod#pod/}:8080/proxy/spoil" -f /dev/null
}

# A way to the recovery API, and a token for this namespace.
api() {
  command kubectl -n ultra-recovery port-forward service/ultra-recovery-api :8085 > .forward 2>&1 &
  until grep -q Forwarding .forward; do sleep 0.2; done
  API=http://$(grep -o -m 1 '127.0.0.1:[0-9]*' .forward)
  token
}

token() {
  local what=recovery.ultra.dev
  command kubectl create role walker --verb=list,create,patch \
    --resource="circuitbreakers.$what,circuitbreakers.$what/status,recoveryruns.$what"
  command kubectl create serviceaccount walker
  command kubectl create rolebinding walker --role=walker --serviceaccount="$NAMESPACE:walker"
  T=$(command kubectl create token walker --audience=ultra-recovery)
  # shellcheck disable=SC2034  # pages use it
  TOKEN=$T
}
