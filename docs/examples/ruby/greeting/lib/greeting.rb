module Greeting
  def self.hello(name)
    "Hello, #{name}."
  end
end
