#include "probe_functions.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <cstdio>
#include <string>
#include <vector>

#include "probe.h"
#include "system_error.h"

namespace acsplit {
namespace {

constexpr double kMostWaitMs = 10000;
constexpr uint32_t kLeastEchoBytes = 68;
constexpr uint32_t kMostEchoBytes = 65535;

// Takes an array of objects and milliseconds; throws and returns false when they are not. The caller blocks so long.
bool take(const Napi::CallbackInfo& call, const char* name, Napi::Array* list, uint32_t* wait_ms) {
  const double wait = call.Length() > 1 && call[1].IsNumber() ? call[1].As<Napi::Number>().DoubleValue() : -1;
  bool is_right = wait >= 0 && wait <= kMostWaitMs && call[0].IsArray();
  if (is_right) {
    *list = call[0].As<Napi::Array>();
    *wait_ms = static_cast<uint32_t>(wait);
    for (uint32_t i = 0; i < list->Length(); i++) is_right = is_right && list->Get(i).IsObject();
  }
  if (is_right) return true;
  const std::string words = std::string(name) + ": a list of questions and at most 10000 ms are expected";
  Napi::TypeError::New(call.Env(), words).ThrowAsJavaScriptException();
  return false;
}

std::string text_of(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
}

// askMacs([{ interface, address }], waitMs) -> [[mac, …], …], in the order of the questions. No interface: no answer.
Napi::Value ask_macs_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  Napi::Array list;
  uint32_t wait_ms;
  if (!take(call, "askMacs", &list, &wait_ms)) return env.Undefined();
  std::vector<MacQuestion> questions;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Object given = list.Get(i).As<Napi::Object>();
    const std::string address = text_of(given, "address");
    MacQuestion question = {static_cast<int>(if_nametoindex(text_of(given, "interface").c_str())), false, {}};
    question.is_ipv6 = address.find(':') != std::string::npos;
    if (inet_pton(question.is_ipv6 ? AF_INET6 : AF_INET, address.c_str(), question.address) != 1) {
      Napi::TypeError::New(env, "askMacs: an address is expected").ThrowAsJavaScriptException();
      return env.Undefined();
    }
    questions.push_back(question);
  }
  std::vector<MacAnswer> answers;
  const SystemResult done = ask_macs(questions, wait_ms, &answers);
  if (done.error != 0) {
    system_error(env, done.error, done.syscall).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Array result = Napi::Array::New(env, questions.size());
  for (size_t i = 0; i < questions.size(); i++) result.Set(static_cast<uint32_t>(i), Napi::Array::New(env));
  for (const MacAnswer& answer : answers) {
    char text[18];
    const uint8_t* mac = answer.mac;
    snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    Napi::Array of = result.Get(static_cast<uint32_t>(answer.question)).As<Napi::Array>();
    of.Set(of.Length(), text);
  }
  return result;
}

// echo([{ address, bytes, from? }], waitMs) -> [{ isAnswered, mtu }, …], in the order of the questions
Napi::Value echo_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  Napi::Array list;
  uint32_t wait_ms;
  if (!take(call, "echo", &list, &wait_ms)) return env.Undefined();
  std::vector<EchoQuestion> questions;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Object given = list.Get(i).As<Napi::Object>();
    const Napi::Value bytes = given.Get("bytes");
    const double number = bytes.IsNumber() ? bytes.As<Napi::Number>().DoubleValue() : 0;
    if (!(number >= kLeastEchoBytes && number <= kMostEchoBytes)) {
      Napi::TypeError::New(env, "echo: from 68 to 65535 bytes are expected").ThrowAsJavaScriptException();
      return env.Undefined();
    }
    questions.push_back({text_of(given, "address"), static_cast<uint32_t>(number), text_of(given, "from")});
  }
  std::vector<EchoAnswer> answers;
  const SystemResult done = echo(questions, wait_ms, &answers);
  if (done.error != 0) {
    system_error(env, done.error, done.syscall).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Array result = Napi::Array::New(env, answers.size());
  for (size_t i = 0; i < answers.size(); i++) {
    Napi::Object answer = Napi::Object::New(env);
    answer.Set("isAnswered", Napi::Boolean::New(env, answers[i].is_answered));
    answer.Set("mtu", Napi::Number::New(env, answers[i].mtu));
    result.Set(static_cast<uint32_t>(i), answer);
  }
  return result;
}

}  // namespace

void define_probe_functions(Napi::Env env, Napi::Object exports) {
  exports.Set("askMacs", Napi::Function::New(env, ask_macs_from, "askMacs"));
  exports.Set("echo", Napi::Function::New(env, echo_from, "echo"));
}

}  // namespace acsplit
